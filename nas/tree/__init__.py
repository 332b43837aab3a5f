"""Frozen trees and what may stand at their leaves."""

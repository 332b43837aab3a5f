#!/bin/sh
# Sees to it that the tests find a Chromium and Fashion-MNIST; installs Debian's packages where it may.
set -eu
found() { [ -n "${CHROME:-}" ] || command -v chromium || command -v google-chrome || command -v chromium-browser; }
missing=""
found >/dev/null 2>&1 || missing="$missing chromium"
[ -f /usr/share/datasets/fashion-mnist/train-images-idx3-ubyte.gz ] \
  || [ -f "${NAS_DATA:-$HOME/.cache/nas}/fashion-mnist/train-images-idx3-ubyte.gz" ] \
  || missing="$missing dataset-fashion-mnist"
[ -z "$missing" ] && exit 0
if command -v apt-get >/dev/null 2>&1; then
  sudo=""
  [ "$(id -u)" -eq 0 ] || sudo="sudo -n"
  # shellcheck disable=SC2086
  $sudo apt-get update -qq && $sudo apt-get install -qq -y --no-install-recommends $missing >/dev/null && exit 0
fi
echo "the tests need$missing: install it with your package manager (or set CHROME to a Chromium, NAS_DATA to a folder with fashion-mnist/*.gz)" >&2
exit 1

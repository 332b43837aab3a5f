"""What ends a command besides a user's mistake (ValueError), each kind with its exit code; and what
only warns."""

EXIT_CODES = {
    0: "done",
    1: "some trials failed",
    2: "usage: the command or a file of yours is wrong",
    3: "storage, cluster or disk out of reach",
    4: "nothing fits the budget",
    5: "nothing to report",
    130: "interrupted; the same command goes on",
}


class NasError(Exception):
    """One message for the user; `code` is the command's exit code."""

    code = 1


class StudyStopped(NasError):
    """The same failure came again and again."""


class OutOfReach(NasError):
    """What a run needs is not there: the database, the cluster, a place on the disk."""

    code = 3


class StorageError(OutOfReach):
    """The database is out of reach, or not one of ours."""


class StudyHeld(OutOfReach):
    """Another driver runs the study."""


class NoResources(OutOfReach):
    """A trial asks for more than the machine or the cluster has."""


class NothingFits(NasError):
    """No candidate of the space fits the budget."""

    code = 4


class NothingToReport(NasError):
    """The database has no such study, or no run of it."""

    code = 5


class LeftOut(UserWarning):
    """Something that is stored counts for nothing: it is damaged, or was made of other images."""

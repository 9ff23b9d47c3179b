"""What a path of a maildrop is to the store: the names that cases are told apart by."""

import re

FIXED = {"": "home", "Maildir": "maildir", "Maildir/new": "new/", "Maildir/cur": "cur/",
         "Maildir/tmp": "tmp/", "Maildir/..": "home", "Maildir/pop3-emitter.index": "index",
         "Maildir/pop3-emitter.index.new": "new index", "Maildir/pop3-emitter.probe": "probe",
         "Maildir/.pop3-emitter.lock": "lock", "Maildir/dovecot-uidlist": "list of unique-ids"}
PATTERNS = ((r"Maildir/\.|Maildir/#\d+ \(deleted\)|Maildir/pop3-emitter\.probe \(deleted\)",
             "probe"),
            (r"Maildir\.making(/.*)?", "Maildir in the making"),
            (r"Maildir/new/.+", "message in new/"), (r"Maildir/cur/.+", "message in cur/"), (r"Maildir/tmp/.+", "file in tmp/"))

# Only speed depends on these.
SPARE = {"index", "new index", "probe", "folder of indexes"}


def place_of(path, box, indexes=None):
    """What a path is; None: it is neither below the box's home nor in the folder of indexes."""
    if indexes and is_below(path, indexes):
        name = path[len(indexes) + 1:]
        return "folder of indexes" if not name else \
            "new index" if name.endswith(".new") else "index"
    if not is_below(path, box.home):
        return None
    if path == box.stdin:
        return "stdin"
    if not is_below(path, box.top):
        return "folder of homes"
    name = path[len(box.top) + 1:]
    if name in FIXED:
        return FIXED[name]
    for pattern, place in PATTERNS:
        if re.fullmatch(pattern, name):
            return place
    return "other: " + name


def is_below(path, folder):
    return (path + "/").startswith(folder + "/")


def is_message(place):
    return place.startswith("message")

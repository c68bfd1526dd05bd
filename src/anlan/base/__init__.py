"""Base 底座: the words that all rooms share.

In: nothing. Out: quantities and units, grades, division codes, ids, geometry and
coordinate systems, the clock, errors, settings, reading blocks and the plug-in scan.
No Django, no network, no files but those a setting names. What can go wrong: a value
that cannot be what it claims (`FieldError` names the field, the value and the remedy).
"""

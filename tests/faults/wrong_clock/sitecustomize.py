"""Python runs this at its start when its folder is on PYTHONPATH: the wall clock is wrong by
CLOCK_OFF_S seconds in this process and its children. Monotonic clocks go on as they are.
"""

import datetime
import os
import sys
import time

OFF_S = float(os.environ.get("CLOCK_OFF_S", "0"))
OFF = datetime.timedelta(seconds=OFF_S)
_time, _time_ns = time.time, time.time_ns
_gmtime, _localtime, _strftime = time.gmtime, time.localtime, time.strftime
_right = datetime.datetime


class _Kind(type):
    """What the C library made is a datetime too."""

    def __instancecheck__(cls, instance):
        return isinstance(instance, _right)

    def __subclasscheck__(cls, other):
        return issubclass(other, _right)


class datetime_(_right, metaclass=_Kind):  # noqa: N801
    @classmethod
    def now(cls, tz=None):
        return _right.now(tz) + OFF

    @classmethod
    def utcnow(cls):
        return _right.now(datetime.UTC).replace(tzinfo=None) + OFF

    @classmethod
    def today(cls):
        return _right.now() + OFF


datetime_.__name__ = datetime_.__qualname__ = "datetime"

if OFF_S:  # a process whose clock is right keeps the class that C extensions were built against
    sys.modules["pandas"] = None  # which pyarrow would load, and which breaks on another class
    datetime.datetime = datetime_
    time.time = lambda: _time() + OFF_S
    time.time_ns = lambda: _time_ns() + int(OFF_S * 1e9)
    time.gmtime = lambda seconds=None: _gmtime(time.time() if seconds is None else seconds)
    time.localtime = lambda seconds=None: _localtime(time.time() if seconds is None else seconds)
    time.strftime = lambda form, moment=None: _strftime(form, moment or time.localtime())

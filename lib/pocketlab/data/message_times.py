"""Times, days and dates as people write them, for `pocketlab.data.messages`."""

from __future__ import annotations

STYLES = ("24h", "padded", "12h", "words")
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_HOURS = ("twelve", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven")
_STEPS = {5: "five", 10: "ten", 15: "quarter", 20: "twenty", 25: "twenty-five"}


def spell(minute: int, style: str) -> str:
    """Return a minute of the day, 0 to 1,439, in one of four styles: 7:05, 07:05, 7:05 am, or in words where words are usual.

    Words are for whole multiples of five minutes; any other minute is then written as 7:05.
    """
    hour, past = divmod(minute, 60)
    if style == "padded":
        return f"{hour:02}:{past:02}"
    if style == "12h":
        half = "am" if hour < 12 else "pm"
        return f"{hour % 12 or 12}:{past:02} {half}" if past else f"{hour % 12 or 12} {half}"
    if style == "words" and past % 5 == 0:
        return _in_words(hour, past)
    return f"{hour}:{past:02}"


def _in_words(hour: int, past: int) -> str:
    this, following = _HOURS[hour % 12], _HOURS[(hour + 1) % 12]
    if past == 0:
        return {0: "midnight", 12: "noon"}.get(hour, f"{this} o'clock")
    if past == 30:
        return f"half past {this}"
    return f"{_STEPS[past]} past {this}" if past < 30 else f"{_STEPS[60 - past]} to {following}"

"""The orientation filter as a header and a source file of C: its loop translated, its settings and its beginning as constants.

The C functions take one sample after the other, as a phone's sensors give them. Their state is a struct, so that whoever calls
them decides where it lies; nothing is allocated.
"""

from __future__ import annotations

import numpy as np

from pocketlab.runtimes.c_source import TranslationError, translate
from pocketlab.runtimes.c_types import StructType, type_of
from pocketlab.signals import orientation_pocketlab
from pocketlab.signals.imu import OrientationFilter

_HEADER = """\
/* The orientation filter of pocketlab.signals.orientation_pocketlab, for {rate} samples per second.

   Generated from its Python, with its settings: change those, not this file. A program has one orientation_filter for each
   phone, calls orientation_init once, and orientation_update with every sample. A sensor that measured nothing is passed as
   NULL or as NaN, a magnetometer as zeros too. Compile without -ffast-math, which would take NaN for a number. */
#ifndef ORIENTATION_H
#define ORIENTATION_H

#include <stdbool.h>
#include <stddef.h>

#define ORIENTATION_SAMPLE_RATE_HZ {rate}

{structs}
typedef OrientationState orientation_filter;

#ifdef __cplusplus
extern "C" {{
#endif

extern const size_t orientation_filter_bytes; /* of the state */
extern const size_t orientation_real_bytes;   /* of one {real} */
extern const bool orientation_takes_mag;      /* whether it has a magnetometer; else mag is ignored */

/* Begin anew. */
void orientation_init(orientation_filter *filter);

/* Take one sample: gyr in rad/s, acc in m/s² with gravity, mag in µT. quat gets the orientation, w first, that turns the
   sensor's frame to east-north-up. */
void orientation_update(orientation_filter *filter, const {real} gyr[3], const {real} acc[3], const {real} mag[3],
    {real} quat[4]);

/* Take `count` samples, one row each; mag may be NULL. */
void orientation_run(orientation_filter *filter, long count, const {real} gyr[][3], const {real} acc[][3],
    const {real} mag[][3], {real} quat[][4]);

#ifdef __cplusplus
}}
#endif

#endif
"""

_SOURCE = """\
/* See {header}. Generated from {modules}: each function here is the one of that name there. */
#include "{header}"

{translated}
/* Settings. */
{constants}
/* Where a stream begins. */
static const orientation_filter beginning = {beginning};

const size_t orientation_filter_bytes = sizeof(orientation_filter);
const size_t orientation_real_bytes = sizeof({real});
const bool orientation_takes_mag = {takes_mag};

void orientation_init(orientation_filter *filter)
{{
    *filter = beginning;
}}

void orientation_update(orientation_filter *filter, const {real} gyr[3], const {real} acc[3], const {real} mag[3],
    {real} quat[4])
{{
    static const {real} missing[3] = {{NAN, NAN, NAN}};
    const bool silent = !mag || (mag[0] == 0 && mag[1] == 0 && mag[2] == 0);
    const {real} *rates = gyr ? gyr : missing, *forces = acc ? acc : missing, *magnetic = silent ? missing : mag;
    {real} variance;
    {loop}(1, (const {real} (*)[3])rates, (const {real} (*)[3])forces, (const {real} (*)[3])magnetic, filter,
        {arguments}, ({real} (*)[4])quat, &variance);
}}

void orientation_run(orientation_filter *filter, long count, const {real} gyr[][3], const {real} acc[][3],
    const {real} mag[][3], {real} quat[][4])
{{
    for (long n = 0; n < count; n++) {{
        orientation_update(filter, gyr[n], acc[n], mag ? mag[n] : NULL, quat[n]);
    }}
}}
"""


def filter_source(filter_: OrientationFilter, header: str, *, real: str = "double") -> tuple[str, str]:
    """Return the texts of a header file of this name and of its source file, for a filter's method, rate and settings.

    real: "double" for the same numbers as the filter's, "float" for a microcontroller.

    Raises ValueError for another method than "pocketlab", TranslationError if its loop is not what can be translated.
    """
    settings = filter_.settings
    if not isinstance(settings, orientation_pocketlab.Settings):
        raise ValueError('Only the filter of method "pocketlab" is there in C: make an OrientationFilter("pocketlab", …).')
    state = orientation_pocketlab.start(filter_.sample_rate_hz, settings, filter_.magnetometer)
    constants = orientation_pocketlab.constants(filter_.sample_rate_hz, settings)
    rows, quat, variance = np.zeros((1, 3)), np.zeros((1, 4)), np.zeros(1)
    arguments = (rows, rows, rows, state, *constants, quat, variance)
    loop = translate(orientation_pocketlab._loop, arguments, real=real, prefix="Orientation")
    names = [each.name for each in loop.entry.parameters if isinstance(each.type, StructType) and each.type.constant]
    if len(names) != len(constants):
        raise TranslationError("The filter's loop takes other parameters than before: adapt pocketlab.runtimes.c_filter to them.")
    dialect = loop.dialect
    filled = {
        "real": real,
        "rate": repr(filter_.sample_rate_hz),
        "structs": "\n".join(dialect.typedef(kind) for kind in loop.structs if not kind.constant),
        "header": header,
        "takes_mag": dialect.literal(filter_.magnetometer),
        "modules": ", ".join(dict.fromkeys(each.title.rpartition(".")[0] for each in reversed(loop.functions))),
        "loop": loop.entry.name,
        "arguments": ", ".join(f"&{name}" for name in names),
        "constants": "".join(
            f"static const {dialect.inside(type_of(value), name)} = {dialect.initial(value)};\n"
            for name, value in zip(names, constants, strict=True)
        ),
        "translated": loop.source(structs=[kind for kind in loop.structs if kind.constant], static=True),
        "beginning": dialect.initial(state),
    }
    return _HEADER.format(**filled), _SOURCE.format(**filled)

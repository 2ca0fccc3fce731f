#pragma once
#include "api/compute/common.h"

// What DST holds floats as.
constexpr DataFormat DST_FORMAT = DST_ACCUM_MODE ? DataFormat::Float32 : DataFormat::Float16_b;

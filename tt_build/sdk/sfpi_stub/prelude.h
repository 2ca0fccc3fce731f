// Included before every kernel: the C library's headers of the build machine, kept from defining the names that the
// target's C library (newlib) defines differently: there uint32_t is unsigned long, and uint is the SDK's own.
#ifndef TT_BUILD_SFPI_STUB_PRELUDE_H
#define TT_BUILD_SFPI_STUB_PRELUDE_H

#define uint host_uint
#define _BITS_STDINT_INTN_H 1
#define _BITS_STDINT_UINTN_H 1
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#undef uint

#include <algorithm>
#include <array>
#include <atomic>
#include <climits>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <limits>
#include <new>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>

#endif

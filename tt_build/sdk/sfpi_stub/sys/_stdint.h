// Stand-in for newlib's header of that name.
#pragma once

#include <cstdint>

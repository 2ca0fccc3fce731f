// get_compile_time_arg_val and its named form are per kernel: emu/kernel_begin.inc.
#pragma once
#include "emu/common.h"

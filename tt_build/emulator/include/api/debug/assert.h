#pragma once
#include "emu/types.h"

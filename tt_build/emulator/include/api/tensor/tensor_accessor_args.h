#pragma once
#include "emu/accessor.h"

#pragma once
#include "emu/compute.h"

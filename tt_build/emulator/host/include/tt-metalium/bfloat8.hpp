#pragma once
#include "emulated_host.hpp"

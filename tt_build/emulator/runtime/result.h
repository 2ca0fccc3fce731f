#pragma once
#include <string>
namespace emu {
extern std::string result_path;
std::string quote(const std::string& s);
}  // namespace emu

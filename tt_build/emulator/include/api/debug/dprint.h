// DPRINT("{} {}\n", ...): printed at once, prefixed with core and thread.
#pragma once
#include "emu/abi.h"
#include "emu/types.h"

namespace emu {
inline PrintArg print_arg(const char* s) { PrintArg a; a.kind = PrintArg::Text; a.s = s; return a; }
template <typename T>
inline PrintArg print_arg(T v) {
    PrintArg a;
    if constexpr (std::is_floating_point_v<T>) { a.kind = PrintArg::Float; a.f = v; }
    else if constexpr (std::is_pointer_v<T>) { a.kind = PrintArg::Pointer; a.u = reinterpret_cast<uint64_t>(v); }
    else if constexpr (std::is_enum_v<T>) { a.kind = PrintArg::Int; a.i = static_cast<int64_t>(v); }
    else if constexpr (std::is_signed_v<T>) { a.kind = PrintArg::Int; a.i = v; }
    else { a.kind = PrintArg::Uint; a.u = v; }
    return a;
}
template <typename... Ts>
inline void print(const char* format, Ts... values) {
    const PrintArg args[sizeof...(Ts) + 1] = {print_arg(values)..., PrintArg{}};
    emu_print(format, args, sizeof...(Ts));
}
}  // namespace emu

#define DPRINT(...) emu::print(__VA_ARGS__)
#define DEVICE_PRINT(...) emu::print(__VA_ARGS__)
#define DPRINT_UNPACK(...) UNPACK(emu::print(__VA_ARGS__))
#define DPRINT_MATH(...) MATH(emu::print(__VA_ARGS__))
#define DPRINT_PACK(...) PACK(emu::print(__VA_ARGS__))
#define DEVICE_PRINT_UNPACK(...) UNPACK(emu::print(__VA_ARGS__))
#define DEVICE_PRINT_MATH(...) MATH(emu::print(__VA_ARGS__))
#define DEVICE_PRINT_PACK(...) PACK(emu::print(__VA_ARGS__))

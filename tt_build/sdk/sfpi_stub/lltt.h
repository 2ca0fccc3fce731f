// Stand-in for SFPI's lltt.h: declarations only, so that the SDK's low-level headers parse under an ordinary g++.
#pragma once

#include <cstdint>

namespace lltt {

enum ExecBool : bool { NoExec, Exec };

template <ExecBool = NoExec>
void record(unsigned start, unsigned length);
void replay(unsigned start, unsigned length);
constexpr std::uint32_t replay_insn(unsigned start, unsigned length) { return (4u << 24) | (start << 14) | (length << 4); }

}  // namespace lltt

// Checked pointer into the core's own L1: every access goes through the engine (bounds, poison).
#pragma once
#include "emu/common.h"

template <typename T, typename AddressType = uintptr_t>
class CoreLocalMem {
    using difference_type = std::ptrdiff_t;

public:
    CoreLocalMem(AddressType address) : address_(address) {}
    CoreLocalMem(T* ptr) : address_(reinterpret_cast<AddressType>(ptr)) {}
    T* get_unsafe_ptr() const { return reinterpret_cast<T*>(address_); }
    AddressType get_address() const { return address_; }
    T& operator[](uint32_t index) const { return get_unsafe_ptr()[index]; }
    T& operator*() const { return get_unsafe_ptr()[0]; }
    T* operator->() const { return get_unsafe_ptr(); }
    CoreLocalMem& operator+=(difference_type offset) { address_ += offset * sizeof(T); return *this; }
    CoreLocalMem& operator-=(difference_type offset) { address_ -= offset * sizeof(T); return *this; }
    CoreLocalMem& operator++() { address_ += sizeof(T); return *this; }
    CoreLocalMem& operator--() { address_ -= sizeof(T); return *this; }
    CoreLocalMem operator++(int) { CoreLocalMem old = *this; operator++(); return old; }
    CoreLocalMem operator--(int) { CoreLocalMem old = *this; operator--(); return old; }
    CoreLocalMem operator+(difference_type offset) const { return CoreLocalMem(address_ + offset * sizeof(T)); }
    CoreLocalMem operator-(difference_type offset) const { return CoreLocalMem(address_ - offset * sizeof(T)); }
    difference_type operator-(const CoreLocalMem& other) const {
        return (static_cast<difference_type>(address_) - static_cast<difference_type>(other.address_)) / difference_type(sizeof(T));
    }
    bool operator==(const CoreLocalMem& other) const { return address_ == other.address_; }
    bool operator!=(const CoreLocalMem& other) const { return address_ != other.address_; }
    bool operator<(const CoreLocalMem& other) const { return address_ < other.address_; }
    bool operator<=(const CoreLocalMem& other) const { return address_ <= other.address_; }
    bool operator>(const CoreLocalMem& other) const { return address_ > other.address_; }
    bool operator>=(const CoreLocalMem& other) const { return address_ >= other.address_; }
    explicit operator bool() const { return address_ != 0; }

private:
    AddressType address_;
};

// TensorAccessor over the words that the host passes (metalium-api section 3.2): interleaved, sharded, compile-time or common
// runtime words. The kernel's own TensorAccessorArgs (kernel_begin.inc) derives from AccessorArgs.
#pragma once
#include "emu/common.h"

namespace tensor_accessor {
constexpr std::size_t UNKNOWN = static_cast<std::size_t>(-1);
constexpr uint32_t MAX_RANK = 8;
}  // namespace tensor_accessor

namespace emu {
template <typename Ct, std::size_t CTA_OFFSET, std::size_t CRTA_OFFSET>
struct AccessorArgs {
    static constexpr uint32_t config = Ct::template get<CTA_OFFSET>();
    static constexpr bool is_sharded = config & 1;
    static constexpr bool is_dram = config & 2;
    static constexpr bool rank_is_crta = config & 4;
    static constexpr bool num_banks_is_crta = config & 8;
    static constexpr bool tensor_shape_is_crta = config & 16;
    static constexpr bool shard_shape_is_crta = config & 32;
    static constexpr bool bank_coords_is_crta = config & 64;
    static constexpr bool page_size_is_crta = config & 128;
    template <std::size_t I, bool Present>
    static constexpr uint32_t word() {
        if constexpr (Present) return Ct::template get<I>();
        else return 0;
    }
    static constexpr uint32_t AlignedPageSize = word<CTA_OFFSET + 1, !page_size_is_crta>();
    static constexpr uint32_t RankCTAOffset = CTA_OFFSET + 2 - (page_size_is_crta ? 1 : 0);
    static constexpr uint32_t NumBanksCTAOffset = RankCTAOffset + (rank_is_crta ? 0 : 1);
    static constexpr uint32_t RankCT = word<RankCTAOffset, is_sharded && !rank_is_crta>();
    static constexpr uint32_t NumBanksRawCT = word<NumBanksCTAOffset, is_sharded && !num_banks_is_crta>();
    static constexpr uint32_t NumBanksCT = NumBanksRawCT & 0x7FFFFFFFu;
    static constexpr uint32_t TensorShapeCTAOffset = NumBanksCTAOffset + (num_banks_is_crta ? 0 : 1);
    static constexpr uint32_t ShardShapeCTAOffset = TensorShapeCTAOffset + (tensor_shape_is_crta ? 0 : RankCT);
    static constexpr uint32_t BankCoordsCTAOffset = ShardShapeCTAOffset + (shard_shape_is_crta ? 0 : RankCT);
    static constexpr uint32_t NumArgsCT =
        is_sharded ? BankCoordsCTAOffset + (bank_coords_is_crta ? 0 : (NumBanksCT + 1) / 2) - CTA_OFFSET
                   : (page_size_is_crta ? 1u : 2u);

    constexpr AccessorArgs() = default;
    constexpr explicit AccessorArgs(uint32_t crta_offset) : crta_(crta_offset) {}
    static constexpr uint32_t num_compile_time_args() { return NumArgsCT; }
    static constexpr uint32_t next_compile_time_args_offset() { return CTA_OFFSET + NumArgsCT; }
    constexpr uint32_t crta_offset() const { return CRTA_OFFSET == tensor_accessor::UNKNOWN ? crta_ : CRTA_OFFSET; }
    uint32_t get_aligned_page_size() const {
        return page_size_is_crta ? get_common_arg_val<uint32_t>(crta_offset()) : AlignedPageSize;
    }
    uint32_t get_rank() const { return rank_is_crta ? get_common_arg_val<uint32_t>(crta_offset()) : RankCT; }
    uint32_t num_banks_word() const {
        return num_banks_is_crta ? get_common_arg_val<uint32_t>(crta_offset() + rank_is_crta) : NumBanksRawCT;
    }
    uint32_t get_num_banks() const { return num_banks_word() & 0x7FFFFFFFu; }
    bool contiguous() const { return num_banks_word() >> 31; }
    uint32_t tensor_crta() const { return crta_offset() + rank_is_crta + num_banks_is_crta; }
    uint32_t shard_crta() const { return tensor_crta() + (tensor_shape_is_crta ? get_rank() : 0); }
    uint32_t coords_crta() const { return shard_crta() + (shard_shape_is_crta ? get_rank() : 0); }
    uint32_t num_common_runtime_args() const {
        if constexpr (!is_sharded) return page_size_is_crta ? 1 : 0;
        else return coords_crta() + (bank_coords_is_crta ? (get_num_banks() + 1) / 2 : 0) - crta_offset();
    }
    uint32_t next_common_runtime_args_offset() const { return crta_offset() + num_common_runtime_args(); }
    uint32_t tensor_shape(uint32_t d) const {
        return tensor_shape_is_crta ? get_common_arg_val<uint32_t>(tensor_crta() + d) : Ct::at(TensorShapeCTAOffset + d);
    }
    uint32_t shard_shape(uint32_t d) const {
        return shard_shape_is_crta ? get_common_arg_val<uint32_t>(shard_crta() + d) : Ct::at(ShardShapeCTAOffset + d);
    }
    uint32_t bank_coord(uint32_t bank) const {
        const uint32_t w = bank_coords_is_crta ? get_common_arg_val<uint32_t>(coords_crta() + bank / 2)
                                               : Ct::at(BankCoordsCTAOffset + bank / 2);
        return (bank & 1) ? w >> 16 : w & 0xFFFF;
    }

private:
    uint32_t crta_ = 0;
};
}  // namespace emu

uint64_t get_noc_addr(uint32_t noc_x, uint32_t noc_y, uint32_t addr, uint8_t noc);

template <typename Args>
struct TensorAccessor {
    static constexpr bool is_dram = Args::is_dram;

    struct PageMapping {
        size_t bank_id;
        size_t bank_page_offset;
    };
    struct DSpec {
        const Args& args;
        uint32_t rank() const { return args.get_rank(); }
        uint32_t num_banks() const { return args.get_num_banks(); }
        uint32_t shard_volume() const {
            uint32_t volume = 1;
            for (uint32_t d = 0; d < rank(); ++d) volume *= args.shard_shape(d);
            return volume;
        }
        uint32_t tensor_volume() const {
            uint32_t volume = 1;
            for (uint32_t d = 0; d < rank(); ++d) volume *= args.tensor_shape(d);
            return volume;
        }
        uint32_t num_shards() const {
            uint32_t shards = 1;
            for (uint32_t d = 0; d < rank(); ++d) shards *= (args.tensor_shape(d) + args.shard_shape(d) - 1) / args.shard_shape(d);
            return shards;
        }
    };

    TensorAccessor(const Args& args, const size_t bank_base_address, const uint32_t page_size = 0)
        : args_(args), base_(bank_base_address), page_size_(page_size ? page_size : args.get_aligned_page_size()) {}

    DSpec dspec() const { return DSpec{args_}; }
    uint32_t get_aligned_page_size() const { return page_size_; }
    uint32_t get_bank_base_address() const { return base_; }

    uint64_t get_noc_addr(const uint32_t page_id, const uint32_t offset = 0, uint8_t noc = 0xFF) const {
        if constexpr (!Args::is_sharded) return emu_interleaved_addr(is_dram, base_, page_size_, page_id, offset);
        else return address(get_bank_and_offset(page_id), offset, noc);
    }
    uint64_t get_shard_noc_addr(const uint32_t shard_id, const uint32_t offset = 0, uint8_t noc = 0xFF) const {
        static_assert(Args::is_sharded, "get_shard_noc_addr needs a sharded tensor");
        return address(shard_place(shard_id, 0), offset, noc);
    }
    PageMapping get_bank_and_offset(uint32_t page_id) const {
        static_assert(Args::is_sharded, "get_bank_and_offset needs a sharded tensor");
        size_t shard = 0, within = 0, shard_stride = 1, page_stride = 1;
        for (int d = static_cast<int>(args_.get_rank()) - 1; d >= 0; --d) {
            const uint32_t extent = args_.tensor_shape(d), part = args_.shard_shape(d);
            const uint32_t coord = page_id % extent;
            page_id /= extent;
            shard += coord / part * shard_stride;
            within += coord % part * page_stride;
            shard_stride *= (extent + part - 1) / part;
            page_stride *= part;
        }
        return shard_place(shard, within);
    }
    bool is_local_page(const uint32_t page_id, uint8_t = 0xFF) const { return is_local_bank(get_bank_and_offset(page_id).bank_id); }
    bool is_local_shard(const uint32_t shard_id, uint8_t = 0xFF) const { return is_local_bank(shard_place(shard_id, 0).bank_id); }

private:
    bool is_local_bank(uint32_t bank) const {
        const uint32_t xy = args_.bank_coord(bank);
        return (xy >> 8) == emu_my_x() && (xy & 0xFF) == emu_my_y();
    }
    PageMapping shard_place(size_t shard, size_t within) const {
        const size_t banks = args_.get_num_banks();
        const size_t per_bank = args_.contiguous() ? dspec().num_shards() / banks : 0;
        const size_t bank = per_bank ? shard / per_bank : shard % banks;
        const size_t index = per_bank ? shard % per_bank : shard / banks;
        return {bank, index * dspec().shard_volume() + within};
    }
    uint64_t address(PageMapping place, uint32_t offset, uint8_t noc) const {
        const uint32_t xy = args_.bank_coord(place.bank_id);
        const uint64_t local = base_ + place.bank_page_offset * page_size_ + offset;
        if constexpr (is_dram) return emu_bank_addr(true, xy >> 8, local);
        else return ::get_noc_addr(xy >> 8, xy & 0xFF, local, noc);
    }

    Args args_;
    uint32_t base_;
    uint32_t page_size_;
};

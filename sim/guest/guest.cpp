// Runs a Verilated network card (nic.py) between a guest's memory and a TAP device.
//
//     registers ─▶ s_axil     m_axi ◀─▶ the guest's memory     m_axis ─▶ TAP     TAP ─▶ rx     irq ─▶ the rings' eventfds
//
// One thread has the clock and runs it only while something moves: with nothing to do it sleeps until the driver notifies, a frame comes, or
// another thread, under the lock, reads or writes a register.
//
// As in rtl/live.cpp, the model is the card behind one flip-flop on every input: what is set before a clock counts in the cycle behind it, and
// stands in the model's inputs until then. build.py writes ports.h. Python sees the functions at the end; gateware.py mirrors the structures.

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <deque>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "Vdut.h"
#include "clock.h"
#include "ports.h"
#include "verilated.h"

namespace {

#define COUNT_ONE(...) +1
constexpr size_t STAT_COUNT = 0 STAT_PORTS(COUNT_ONE);

constexpr size_t BUS_BYTES = 8;  // of memory and of frames
static_assert(LANES == BUS_BYTES);
constexpr size_t QUEUES = 2;
constexpr size_t LONGEST_BYTES = 1 << 16;    // of a frame from the wire
constexpr size_t GSO_TYPE_AT = 1;            // byte of a request
constexpr size_t FRAME_LEN_AT = 14;
constexpr size_t READS = 16;                 // bursts under way
constexpr uint64_t QUIET_CLOCKS = 3000;      // in which nothing moved: then nothing will, a header's walk being a few hundred clocks long
constexpr uint64_t CHUNK_CLOCKS = 1024;      // between looks at who else wants the lock
constexpr uint64_t LOOK_CLOCKS = 64;         // between looks at notifications and the wire
constexpr uint64_t HANG_CLOCKS = 1'000'000;  // for an answer from a register

// The registers that are touched here (virtio 1.2, 4.2.2); the driver's own accesses come from Python.
constexpr uint32_t QUEUE_NOTIFY = 0x50, INTERRUPT_STATUS = 0x60, INTERRUPT_ACK = 0x64, STATUS = 0x70;
constexpr uint32_t CONFIGURATION_CHANGE = 2, NEEDS_RESET = 64;

constexpr int OKAY = 0, DECERR = 3;

struct Settings {
    int32_t wire;          // file descriptor of the TAP device
    uint64_t mac;          // first byte in 7:0
    uint64_t mtu;
    uint64_t frame_limit;  // bytes of the longest frame that may leave the engine
    uint64_t seed;         // of the registers' first values
};

struct Region {
    uint64_t guest, bytes;  // guest physical address
    uint64_t host;          // address in this process
};

// Of one ring: eventfds, or -1, and where the used ring's index is.
struct Bells {
    int32_t kick, call;
    uint64_t used_index;
};

struct Counters {
    uint64_t frames_in, super_frames_in, bytes_in, frames_out, bytes_out, longest_out, back_frames, back_bytes;
    uint64_t interrupts, kicks, clocks, refused, unwritten;
};

class Guest {
public:
    explicit Guest(const Settings& settings) : settings_(settings), back_(LONGEST_BYTES), out_(settings.frame_limit + BUS_BYTES) {
        fcntl(settings.wire, F_SETFL, fcntl(settings.wire, F_GETFL) | O_NONBLOCK);
        bell_ = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
        if (bell_ < 0) throw std::runtime_error("no eventfd");
        context_.randReset(2);  // every register that has no reset starts with noise
        context_.randSeed(int(settings.seed & 0x3FFFFFFF) | 1);
        top_ = std::make_unique<Vdut>(&context_, "offcut");
        clock_ = std::make_unique<Clock>(*top_);
        power_up();
        sigset_t all, before;  // signals are for the thread that started this
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        thread_ = std::thread([this] { guarded(); });
        pthread_sigmask(SIG_SETMASK, &before, nullptr);
    }

    ~Guest() {
        stop_ = true;
        ring();
        thread_.join();
        top_->final();
        close(bell_);
    }

    void memory(const Region* regions, size_t count) {
        const Hold hold(*this);
        regions_.assign(regions, regions + count);
        uint64_t end = 0;
        for (const Region& region : regions_) end = std::max(end, region.guest + region.bytes);
        top_->window_base = 0;
        top_->window_size = end;  // with holes in it, which answer DECERR
    }

    // The rings that run from now on, or, with none, that there are none.
    void bells(const Bells* bells, size_t count) {
        const Hold hold(*this);
        const bool restarted = bells_.empty();
        bells_.assign(bells, bells + count);
        for (const Bells& bell : bells_) {
            if (bell.kick >= 0) fcntl(bell.kick, F_SETFL, fcntl(bell.kick, F_GETFL) | O_NONBLOCK);
        }
        if (restarted) signalled_ = {};
    }

    // One access to a register. False if the device has failed before.
    bool access(uint32_t address, uint32_t* value, bool write) {
        const Hold hold(*this);
        if (failed_) return false;
        try {
            *value = touch(address, *value, write);
            return true;
        } catch (const std::exception& error) {
            fail(error);
            return false;
        }
    }

    void counters(Counters* counters, uint64_t* strobes) {
        const Hold hold(*this);
        *counters = counters_;
        std::copy(strobes_.begin(), strobes_.end(), strobes);
    }

    // Why it stopped by itself, or an empty string.
    const char* failure() const { return failed_.load(std::memory_order_acquire) ? failure_.c_str() : ""; }

private:
    // The lock, for other threads than the one with the clock, which makes way.
    class Hold {
    public:
        explicit Hold(Guest& guest) : guest_(guest) {
            ++guest.wanted_;
            guest.mutex_.lock();
            --guest.wanted_;
        }
        ~Hold() {
            guest_.mutex_.unlock();
            guest_.ring();
        }

    private:
        Guest& guest_;
    };

    void ring() {
        const uint64_t one = 1;
        if (write(bell_, &one, sizeof one) < 0) return;  // it has been rung already
    }

    void fail(const std::exception& error) {
        if (failed_) return;
        failure_ = error.what();
        failed_.store(true, std::memory_order_release);
    }

    // ---- the thread

    void guarded() {
        try {
            run();
        } catch (const std::exception& error) {
            const Hold hold(*this);
            fail(error);
        }
    }

    void run() {
        while (!stop_ && !failed_) {
            bool asleep;
            {
                const std::lock_guard lock(mutex_);
                asleep = work();
            }
            while (wanted_ && !stop_) std::this_thread::yield();
            if (asleep) sleep();
        }
    }

    // Some clocks; whether there was nothing left to do.
    bool work() {
        if (failed_) return true;
        for (uint64_t clock = 0; clock < CHUNK_CLOCKS; ++clock) {
            if (clock % LOOK_CLOCKS == 0) {
                hear();
                fetch();
            }
            if (quiet_ > QUIET_CLOCKS) return true;
            tick();
            if (top_->irq) interrupt();
        }
        return false;
    }

    void sleep() {
        std::vector<pollfd> fds = {{bell_, POLLIN, 0}};
        {
            const std::lock_guard lock(mutex_);
            for (const Bells& bell : bells_) fds.push_back({bell.kick, POLLIN, 0});
            if (!bells_.empty() && !back_bytes_) fds.push_back({settings_.wire, POLLIN, 0});
        }
        poll(fds.data(), fds.size(), -1);
        uint64_t rung;
        if (fds[0].revents && read(bell_, &rung, sizeof rung) < 0 && errno != EAGAIN) throw std::runtime_error("the eventfd has gone");
    }

    // The driver's notifications: each is a write to QueueNotify.
    void hear() {
        for (size_t queue = 0; queue < bells_.size(); ++queue) {
            uint64_t rung;
            if (bells_[queue].kick < 0 || read(bells_[queue].kick, &rung, sizeof rung) <= 0) continue;
            ++counters_.kicks;
            touch(QUEUE_NOTIFY, uint32_t(queue), true);
        }
    }

    // A frame from the wire, if there is one and the last has been taken.
    void fetch() {
        if (back_bytes_ || bells_.empty()) return;
        const ssize_t bytes = read(settings_.wire, back_.data(), back_.size());
        if (bytes < 0 && errno != EAGAIN && errno != EINTR) throw std::runtime_error(std::string("the TAP device: ") + std::strerror(errno));
        if (bytes <= 0) return;
        back_bytes_ = back_bytes_left_ = size_t(bytes);
        quiet_ = 0;
        offer();
    }

    // As the driver's handler does it, and behind it the processor's own interrupt: for each ring in which something was used.
    void interrupt() {
        const uint32_t status = touch(INTERRUPT_STATUS, 0, false);
        if (!status) return;  // it fell meanwhile
        touch(INTERRUPT_ACK, status, true);
        ++counters_.interrupts;
        if (status & CONFIGURATION_CHANGE && touch(STATUS, 0, false) & NEEDS_RESET) throw std::runtime_error("it asks for a reset");
        for (size_t queue = 0; queue < bells_.size(); ++queue) {
            const uint8_t* index = at(bells_[queue].used_index, sizeof(uint16_t));
            if (!index || bells_[queue].call < 0) continue;
            const uint16_t used = *reinterpret_cast<const volatile uint16_t*>(index);
            if (used == signalled_[queue]) continue;
            signalled_[queue] = used;
            const uint64_t one = 1;
            if (write(bells_[queue].call, &one, sizeof one) < 0 && errno != EAGAIN) throw std::runtime_error("an interrupt's eventfd has gone");
        }
    }

    uint32_t touch(uint32_t address, uint32_t value, bool write) {
        answered_ = false;
        if (write) {
            top_->s_axil_awaddr = address;
            top_->s_axil_wdata = value;
            top_->s_axil_wstrb = 0xF;
            top_->s_axil_awvalid = top_->s_axil_wvalid = 1;
        } else {
            top_->s_axil_araddr = address;
            top_->s_axil_arvalid = 1;
        }
        for (uint64_t clocks = 0; !answered_; ++clocks) {
            if (clocks > HANG_CLOCKS) throw std::runtime_error("a register does not answer");
            tick();
        }
        return write ? value : answer_;
    }

    // ---- one clock

    void power_up() {
        top_->rst = 1;
        top_->s_axil_awvalid = top_->s_axil_wvalid = top_->s_axil_arvalid = top_->m_axi_rvalid = top_->m_axi_bvalid = top_->rx_tvalid = 0;
        top_->s_axil_bready = top_->s_axil_rready = top_->m_axi_arready = top_->m_axi_awready = top_->m_axi_wready = top_->m_axis_tready = 1;
        top_->s_axil_awprot = top_->s_axil_arprot = 0;
        top_->m_axi_rid = top_->m_axi_bid = 0;
        top_->mac = settings_.mac;
        top_->mtu = uint16_t(settings_.mtu);
        top_->link = 1;
        top_->window_base = top_->window_size = 0;
        tick();
        tick();
        top_->rst = 0;
        tick();
    }

    void tick() {
        clock_->rise();
        ++counters_.clocks;
        const bool moved = moves();
        quiet_ = moved ? 0 : quiet_ + 1;
        // The inputs of the next cycle may change only behind this edge.
        clock_->fall();
    }

    // What the cycle behind the edge does, channel by channel. An input still has the value that counts in this cycle until it is changed here.
    bool moves() {
        if (top_->rst) return false;
        const bool registers = move_registers();
        const bool reads = move_reads();
        const bool writes = move_writes();
        const bool frames = move_frames();
        uint64_t* stat = strobes_.data();
#define ADD(name) *stat++ += top_->name;
        STAT_PORTS(ADD)
#undef ADD
        return registers || reads || writes || frames;
    }

    bool move_registers() {
        bool moved = false;
        if (top_->s_axil_awvalid && top_->s_axil_awready) top_->s_axil_awvalid = 0, moved = true;
        if (top_->s_axil_wvalid && top_->s_axil_wready) top_->s_axil_wvalid = 0, moved = true;
        if (top_->s_axil_arvalid && top_->s_axil_arready) top_->s_axil_arvalid = 0, moved = true;
        if (top_->s_axil_bvalid) answered_ = moved = true;
        if (top_->s_axil_rvalid) {
            answer_ = top_->s_axil_rdata;
            answered_ = moved = true;
        }
        return moved;
    }

    bool move_reads() {
        bool moved = false;
        if (top_->m_axi_rvalid && top_->m_axi_rready) {
            top_->m_axi_rvalid = 0;
            moved = true;
        }
        if (top_->m_axi_arvalid && top_->m_axi_arready) {
            reads_.push_back({top_->m_axi_araddr & ~uint64_t(BUS_BYTES - 1), top_->m_axi_arlen + 1u});
            moved = true;
        }
        top_->m_axi_arready = reads_.size() < READS;
        if (!top_->m_axi_rvalid && !reads_.empty()) {
            Burst& burst = reads_.front();
            const uint8_t* word = at(burst.address, BUS_BYTES);
            counters_.refused += !word;
            top_->m_axi_rdata = word ? *reinterpret_cast<const volatile uint64_t*>(word) : 0;
            top_->m_axi_rresp = word ? OKAY : DECERR;
            top_->m_axi_rlast = burst.beats == 1;
            top_->m_axi_rvalid = 1;
            burst.address += BUS_BYTES;
            if (!--burst.beats) reads_.pop_front();
        }
        return moved;
    }

    bool move_writes() {
        bool moved = false;
        if (top_->m_axi_bvalid && top_->m_axi_bready) {
            top_->m_axi_bvalid = 0;
            moved = true;
        }
        if (top_->m_axi_awvalid && top_->m_axi_awready) {
            writes_.push_back({top_->m_axi_awaddr & ~uint64_t(BUS_BYTES - 1), top_->m_axi_awlen + 1u});
            moved = true;
        }
        if (top_->m_axi_wvalid && top_->m_axi_wready) {
            words_.push_back({top_->m_axi_wdata, uint8_t(top_->m_axi_wstrb), bool(top_->m_axi_wlast)});
            moved = true;
        }
        while (!writes_.empty() && !words_.empty()) {
            Burst& burst = writes_.front();
            const Word& word = words_.front();
            if (word.last != (burst.beats == 1)) throw std::runtime_error("m_axi_wlast is not with a burst's last word");
            uint8_t* to = at(burst.address, BUS_BYTES);
            if (to) {
                store(to, word);
            } else {
                write_error_ = true;
                ++counters_.refused;
            }
            burst.address += BUS_BYTES;
            if (!--burst.beats) {
                writes_.pop_front();
                written_.push_back(write_error_ ? DECERR : OKAY);
                write_error_ = false;
            }
            words_.pop_front();
        }
        if (!top_->m_axi_bvalid && !written_.empty()) {
            std::atomic_thread_fence(std::memory_order_seq_cst);  // what was written is seen before anything that is read behind the answer
            top_->m_axi_bresp = written_.front();
            top_->m_axi_bvalid = 1;
            written_.pop_front();
        }
        return moved;
    }

    bool move_frames() {
        bool moved = false;
        if (top_->rx_tvalid && top_->rx_tready) {
            moved = true;
            back_bytes_left_ -= std::min(back_bytes_left_, BUS_BYTES);
            if (back_bytes_left_) {
                offer();
            } else {
                top_->rx_tvalid = 0;
                ++counters_.back_frames;
                counters_.back_bytes += back_bytes_;
                back_bytes_ = 0;
                fetch();
            }
        }
        if (top_->request_valid) {
            uint8_t request[FRAME_LEN_AT + 4];
            std::memcpy(request, &top_->request, sizeof request);
            uint32_t frame_len;
            std::memcpy(&frame_len, request + FRAME_LEN_AT, sizeof frame_len);
            ++counters_.frames_in;
            counters_.super_frames_in += request[GSO_TYPE_AT] != 0;
            counters_.bytes_in += frame_len & 0xFFFFF;
            moved = true;
        }
        if (top_->m_axis_tvalid) {
            take();
            moved = true;
        } else if (out_bytes_) {
            throw std::runtime_error("m_axis_tvalid fell within a frame");
        }
        return moved;
    }

    // The next beat of the frame from the wire.
    void offer() {
        uint64_t data = 0;
        const size_t bytes = std::min(back_bytes_left_, BUS_BYTES);
        std::memcpy(&data, back_.data() + back_bytes_ - back_bytes_left_, bytes);
        top_->rx_tdata = data;
        top_->rx_tkeep = uint8_t((1u << bytes) - 1);
        top_->rx_tlast = bytes == back_bytes_left_;
        top_->rx_tvalid = 1;
    }

    void take() {
        const uint64_t data = top_->m_axis_tdata;
        const size_t bytes = size_t(__builtin_popcount(uint8_t(top_->m_axis_tkeep)));
        std::memcpy(out_.data() + out_bytes_, &data, BUS_BYTES);
        out_bytes_ += bytes;
        if (out_bytes_ > settings_.frame_limit) throw std::runtime_error("a wire frame is too long");
        if (!top_->m_axis_tlast) return;
        ++counters_.frames_out;
        counters_.bytes_out += out_bytes_;
        counters_.longest_out = std::max<uint64_t>(counters_.longest_out, out_bytes_);
        if (write(settings_.wire, out_.data(), out_bytes_) < 0) ++counters_.unwritten;
        out_bytes_ = 0;
    }

    // ---- the guest's memory

    uint8_t* at(uint64_t address, size_t bytes) const {
        for (const Region& region : regions_) {
            if (address >= region.guest && address - region.guest + bytes <= region.bytes) {
                return reinterpret_cast<uint8_t*>(region.host + (address - region.guest));
            }
        }
        return nullptr;
    }

    struct Burst {
        uint64_t address;
        uint32_t beats;
    };

    struct Word {
        uint64_t data;
        uint8_t strobes;
        bool last;
    };

    // An index in a ring must change at once, so whole words and halves are written as such.
    static void store(uint8_t* to, const Word& word) {
        if (word.strobes == 0xFF) {
            *reinterpret_cast<volatile uint64_t*>(to) = word.data;
            return;
        }
        for (size_t lane = 0; lane < BUS_BYTES; lane += 2) {
            const unsigned strobes = word.strobes >> lane & 3;
            const uint16_t half = uint16_t(word.data >> 8 * lane);
            if (strobes == 3) *reinterpret_cast<volatile uint16_t*>(to + lane) = half;
            if (strobes == 1) to[lane] = uint8_t(half);
            if (strobes == 2) to[lane + 1] = uint8_t(half >> 8);
        }
    }

    const Settings settings_;
    std::vector<Region> regions_;
    std::vector<Bells> bells_;
    std::array<uint16_t, QUEUES> signalled_{};

    VerilatedContext context_;
    std::unique_ptr<Vdut> top_;
    std::unique_ptr<Clock> clock_;
    std::deque<Burst> reads_, writes_;
    std::deque<Word> words_;
    std::deque<int> written_;
    bool write_error_ = false, answered_ = false;
    uint32_t answer_ = 0;
    std::vector<uint8_t> back_;  // the frame from the wire
    size_t back_bytes_ = 0, back_bytes_left_ = 0;
    std::vector<uint8_t> out_;  // the frame to the wire
    size_t out_bytes_ = 0;
    uint64_t quiet_ = 0;  // clocks since something moved
    Counters counters_{};
    std::array<uint64_t, STAT_COUNT> strobes_{};

    int bell_ = -1;
    std::mutex mutex_;
    std::atomic<int> wanted_{0};
    std::atomic<bool> stop_{false}, failed_{false};
    std::string failure_;
    std::thread thread_;
};

}  // namespace

// Verilator's runtime ends the process on a fatal error unless this is defined.
void vl_fatal(const char*, int, const char*, const char* message) { throw std::runtime_error(message); }

#define EXPORT extern "C" __attribute__((visibility("default")))

// Starts the thread; on failure null, with the reason in `message`.
EXPORT Guest* guest_start(const Settings* settings, char* message, size_t room) {
    try {
        return new Guest(*settings);
    } catch (const std::exception& error) {
        std::snprintf(message, room, "%s", error.what());
        return nullptr;
    }
}

EXPORT void guest_memory(Guest* guest, const Region* regions, size_t count) { guest->memory(regions, count); }

EXPORT void guest_bells(Guest* guest, const Bells* bells, size_t count) { guest->bells(bells, count); }

EXPORT bool guest_access(Guest* guest, uint32_t address, uint32_t* value, bool write) { return guest->access(address, value, write); }

EXPORT void guest_counters(Guest* guest, Counters* counters, uint64_t* strobes) { guest->counters(counters, strobes); }

EXPORT const char* guest_failure(const Guest* guest) { return guest->failure(); }

EXPORT void guest_stop(Guest* guest) { delete guest; }

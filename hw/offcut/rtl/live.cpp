// Stands between two TAP devices: what the host hands to its own goes through one Verilated engine and on to the peer's; the way back is plain.
//
//     host TAP ─▶ requests ─▶ engine ─▶ frames ─▶ wire ─▶ peer TAP        two threads: the engine has one to itself,
//     host TAP ◀──────────────────────────────── wire ◀── peer TAP        all reading and writing is done by the other
//
// Clocks run only while the engine holds something: with nothing to do both threads sleep. A full queue stops the thread in front of it (for
// the engine no time passes then), so frames wait in the host's TAP and none is lost here. Writing to a TAP runs the receiver's network stack
// inside the call, so an acknowledgement is there to be read when the write of the frame returns: hence one thread for all three ways.
//
// As for harness.cpp, build.py writes ports.h. Python sees the functions at the
// end; offcut/live/compiled.py mirrors the structures that they share.

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
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
constexpr uint64_t FULL = LANES == 64 ? ~uint64_t(0) : (uint64_t(1) << (LANES % 64)) - 1;

constexpr size_t HEADER_BYTES = 24;          // of the longest virtio_net_hdr
constexpr size_t REQUEST_BYTES = 10;         // of it, those that stand first in tuser
constexpr size_t OFFSETS_AT = 20;            // outer_th_offset and inner_nh_offset in it
constexpr size_t FRAME_LEN_AT = 14;          // byte of tuser
constexpr size_t LONGEST_BYTES = 1 << 20;    // frame_len has 20 bits
constexpr size_t REQUEST_SLOTS = 128;        // super-frames between the threads; the long queue is the TAP's own
constexpr size_t FRAME_SLOTS = 1024;         // wire frames between the threads: more than a super-frame makes
constexpr int BURST = 64;                    // frames taken from one side before the others have their turn
constexpr uint64_t QUIET_CLOCKS = 512;       // without a beat: then the engine is empty, being some 50 clocks deep
constexpr uint64_t HANG_CLOCKS = 1'000'000;  // without a beat though one is offered: far beyond any wait there can be
constexpr uint64_t NUDGE_CLOCKS = 512;       // the other thread is woken for the frames of so many clocks at once
constexpr uint64_t SETTLED_CLOCKS = 16;      // or when no beat has moved for these
constexpr int REORDER_BEHIND = 4;            // frames that overtake one which is held back: TCP takes three for a loss
constexpr int REORDER_MS = 2;                // it is held no longer than this
constexpr int PATIENCE_MS = 50;              // between looks at whether the end has come

struct Settings {
    int32_t host, peer;              // file descriptors; frames from and to `host` stand behind a virtio_net_hdr
    uint64_t header_bytes;           // of that header
    uint64_t frame_limit;            // bytes of the longest frame that may leave the engine
    double loss, reorder;            // probability for each frame on the wire, both ways
    uint64_t seed;                   // of these, and of the registers' first values
    const char *host_pcap, *peer_pcap, *request_pcap;  // files to write, or null
};

struct Counters {
    uint64_t frames_in, super_frames_in, bytes_in, frames_out, bytes_out, back_frames, back_bytes;
    uint64_t clocks, beats_in, beats_out, lost, reordered, unwritten, waiting_max, engine_cpu_ns, io_cpu_ns, host_cpu_ns;
};

// A number that one thread counts and others may look at.
class Count {
public:
    Count& operator+=(uint64_t more) { return *this = value_.load(std::memory_order_relaxed) + more; }
    Count& operator++() { return *this += 1; }
    Count& operator=(uint64_t value) {
        value_.store(value, std::memory_order_relaxed);
        return *this;
    }
    operator uint64_t() const { return value_.load(std::memory_order_relaxed); }

private:
    std::atomic<uint64_t> value_{0};
};

// What a clock says; 0 if it is that of a thread which has ended.
uint64_t ns(clockid_t clock) {
    timespec now{};
    return clock_gettime(clock, &now) ? 0 : uint64_t(now.tv_sec) * 1'000'000'000 + uint64_t(now.tv_nsec);
}

// CPU time of a thread.
uint64_t cpu_ns(const std::thread& thread) {
    clockid_t clock;
    return pthread_getcpuclockid(const_cast<std::thread&>(thread).native_handle(), &clock) ? 0 : ns(clock);
}

// xorshift64*.
class Random {
public:
    explicit Random(uint64_t seed) : state_(seed * 0x9E3779B97F4A7C15u + 0x632BE59BD9B4E019u) {
        if (!state_) state_ = 1;
    }
    uint64_t next() {
        state_ ^= state_ >> 12;
        state_ ^= state_ << 25;
        state_ ^= state_ >> 27;
        return state_ * 0x2545F4914F6CDD1Du;
    }
    bool chance(double probability) { return probability > 0 && double(next() >> 11) * 0x1p-53 < probability; }

private:
    uint64_t state_;
};

// A queue of byte strings between two threads, one on each end, in slots of fixed size. Memory that is never written is never used.
class Ring {
public:
    Ring(size_t slots, size_t slot_bytes)
        : slots_(slots), stride_(slot_bytes), sizes_(slots), bytes_(static_cast<uint8_t*>(std::calloc(slots, slot_bytes)), &std::free) {
        if (!bytes_) throw std::bad_alloc();
    }
    size_t size() const { return size_t(head_.load(std::memory_order_acquire) - tail_.load(std::memory_order_acquire)); }
    bool empty() const { return size() == 0; }
    bool full() const { return size() == slots_; }

    uint8_t* back() { return slot(head_.load(std::memory_order_relaxed)); }
    void push(size_t bytes) {
        const uint64_t head = head_.load(std::memory_order_relaxed);
        sizes_[head % slots_] = bytes;
        head_.store(head + 1, std::memory_order_release);
    }
    const uint8_t* front() { return slot(tail_.load(std::memory_order_relaxed)); }
    size_t front_bytes() const { return sizes_[tail_.load(std::memory_order_relaxed) % slots_]; }
    void pop() { tail_.store(tail_.load(std::memory_order_relaxed) + 1, std::memory_order_release); }

private:
    uint8_t* slot(uint64_t number) { return bytes_.get() + number % slots_ * stride_; }

    const size_t slots_, stride_;
    std::vector<size_t> sizes_;
    std::unique_ptr<uint8_t, decltype(&std::free)> bytes_;
    alignas(64) std::atomic<uint64_t> head_{0};
    alignas(64) std::atomic<uint64_t> tail_{0};
};

// A capture with nanoseconds, or nothing if there is no file.
class Pcap {
public:
    Pcap(const char* path, uint32_t link_type) {
        if (!path) return;
        file_ = std::fopen(path, "wb");
        if (!file_) throw std::runtime_error(std::string("cannot write ") + path + ": " + std::strerror(errno));
        const uint32_t head[] = {0xA1B23C4D, 0x00040002, 0, 0, uint32_t(LONGEST_BYTES), link_type};
        std::fwrite(head, sizeof head, 1, file_);
    }
    ~Pcap() {
        if (file_) std::fclose(file_);
    }
    Pcap(const Pcap&) = delete;
    Pcap& operator=(const Pcap&) = delete;

    void write(const uint8_t* data, size_t bytes) {
        if (!file_) return;
        timespec now;
        clock_gettime(CLOCK_REALTIME, &now);
        const uint32_t head[] = {uint32_t(now.tv_sec), uint32_t(now.tv_nsec), uint32_t(bytes), uint32_t(bytes)};
        std::fwrite(head, sizeof head, 1, file_);
        std::fwrite(data, bytes, 1, file_);
    }
    void flush() {
        if (file_) std::fflush(file_);
    }

private:
    FILE* file_ = nullptr;
};

constexpr uint32_t LINK_TYPE_ETHERNET = 1, LINK_TYPE_USER0 = 147;

// One direction of the wire: it loses frames, and lets some arrive late.
class Wire {
public:
    Wire(double loss, double reorder, uint64_t seed) : loss_(loss), reorder_(reorder), random_(seed) {}

    void carry(const uint8_t* data, size_t bytes, auto&& deliver) {
        if (random_.chance(loss_)) {
            ++lost;
            return;
        }
        if (late_.empty() && random_.chance(reorder_)) {
            late_.assign(data, data + bytes);
            before_ = REORDER_BEHIND;
            ++reordered;
            return;
        }
        deliver(data, bytes);
        if (!late_.empty() && --before_ == 0) release(deliver);
    }
    bool holds() const { return !late_.empty(); }
    void release(auto&& deliver) {
        if (late_.empty()) return;
        deliver(late_.data(), late_.size());
        late_.clear();
    }

    Count lost, reordered;

private:
    const double loss_, reorder_;
    Random random_;
    std::vector<uint8_t> late_;
    int before_ = 0;
};

class Live {
public:
    explicit Live(const Settings& settings)
        : settings_(settings),
          requests_(REQUEST_SLOTS, HEADER_BYTES + LONGEST_BYTES),
          frames_(FRAME_SLOTS, (settings.frame_limit + LANES + 63) / 64 * 64),
          there_(settings.loss, settings.reorder, settings.seed * 2),
          back_(settings.loss, settings.reorder, settings.seed * 2 + 1),
          host_pcap_(settings.host_pcap, LINK_TYPE_ETHERNET),
          peer_pcap_(settings.peer_pcap, LINK_TYPE_ETHERNET),
          request_pcap_(settings.request_pcap, LINK_TYPE_USER0),
          back_frame_(LONGEST_BYTES) {
        for (int fd : {settings.host, settings.peer}) fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
        bell_fd_ = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
        if (bell_fd_ < 0) throw std::runtime_error("no eventfd");
        context_.randReset(2);  // every register that has no reset starts with noise
        context_.randSeed(int(settings.seed & 0x3FFFFFFF) | 1);
        top_ = std::make_unique<Vdut>(&context_, "offcut");
        sigset_t all, before;  // signals are for the thread that started this
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        engine_ = std::thread([this] { guarded("the engine", &Live::run_engine); });
        io_ = std::thread([this] { guarded("input and output", &Live::run_io); });
        pthread_sigmask(SIG_SETMASK, &before, nullptr);
    }

    ~Live() {
        halt();
        engine_.join();
        io_.join();
        top_->final();
        close(bell_fd_);
    }

    // What has been counted so far.
    void counters(Counters* counters, uint64_t* strobes) const {
        *counters = Counters{
            .frames_in = frames_in_, .super_frames_in = super_frames_in_, .bytes_in = bytes_in_, .frames_out = frames_out_, .bytes_out = bytes_out_,
            .back_frames = back_frames_, .back_bytes = back_bytes_, .clocks = clocks_, .beats_in = beats_in_, .beats_out = beats_out_,
            .lost = there_.lost + back_.lost, .reordered = there_.reordered + back_.reordered, .unwritten = unwritten_,
            .waiting_max = waiting_max_, .engine_cpu_ns = cpu_ns(engine_), .io_cpu_ns = cpu_ns(io_), .host_cpu_ns = host_cpu_ns_,
        };
        std::copy(strobes_.begin(), strobes_.end(), strobes);
    }

    // Why it stopped by itself, or an empty string.
    const char* failure() const { return failed_.load(std::memory_order_acquire) ? failure_.c_str() : ""; }

private:
    void guarded(const char* who, void (Live::*run)()) {
        try {
            (this->*run)();
        } catch (const std::exception& error) {
            if (!failing_.exchange(true)) {
                failure_ = std::string(who) + ": " + error.what();
                failed_.store(true, std::memory_order_release);
            }
            halt();
        }
    }

    void halt() {
        stop_ = true;
        ring_engine();
        ring_io();
    }

    // ---- how the threads wake each other

    void ring_engine() {
        bell_.fetch_add(1);
        bell_.notify_one();
    }

    // The engine's thread sleeps until `ready` or the end.
    void sleep_until(auto&& ready) {
        engine_sleeps_ = true;
        for (;;) {
            const uint32_t seen = bell_.load();
            std::atomic_thread_fence(std::memory_order_seq_cst);
            if (stop_ || ready()) break;
            bell_.wait(seen);
        }
        engine_sleeps_ = false;
    }

    void nudge_engine() {
        std::atomic_thread_fence(std::memory_order_seq_cst);
        if (engine_sleeps_) ring_engine();
    }

    void ring_io() {
        const uint64_t one = 1;
        if (write(bell_fd_, &one, sizeof one) < 0) return;  // it has been rung already
    }

    void nudge_io() {
        news_ = 0;
        std::atomic_thread_fence(std::memory_order_seq_cst);
        if (io_sleeps_.exchange(false)) ring_io();
    }

    // ---- the engine's thread

    void run_engine() {
        Clock clock(*top_);
        const auto tick = [&] {
            clock.rise();
            ++clocks_;
        };
        top_->rst = 1;
        top_->m_axis_tready = 1;
        top_->s_axis_tvalid = 0;
#define CLEAR(name, mask) top_->name = 0;  // all-zero always means the default
        CFG_PORTS(CLEAR)
#undef CLEAR
#if HAS_FRAG_SEED
        top_->cfg_frag_seed = 0;
#endif
        tick();
        clock.fall();
        top_->rst = 0;
        while (!stop_) {
            if (!frame_ && !requests_.empty()) begin();
            if (!frame_ && quiet_ > QUIET_CLOCKS) {
                nudge_io();
                sleep_until([this] { return !requests_.empty(); });
                quiet_ = 0;
                continue;
            }
            tick();
            look();
            clock.fall();
        }
    }

    // Offers the first beat of the next frame.
    void begin() {
        const uint8_t* header = requests_.front();
        frame_ = header + settings_.header_bytes;
        left_ = requests_.front_bytes() - settings_.header_bytes;
        bytes_in_ += left_;
        ++frames_in_;
        if (header[1]) ++super_frames_in_;
        uint8_t tuser[TUSER_WORDS * 4] = {};
        std::memcpy(tuser, header, REQUEST_BYTES);
        if (settings_.header_bytes >= HEADER_BYTES) std::memcpy(tuser + REQUEST_BYTES, header + OFFSETS_AT, HEADER_BYTES - OFFSETS_AT);
        const uint32_t frame_len = uint32_t(left_);
        std::memcpy(tuser + FRAME_LEN_AT, &frame_len, 3);
        std::memcpy(&top_->s_axis_tuser, tuser, sizeof tuser);
        top_->s_axis_tvalid = 1;
        offer();
    }

    void offer() {
        if (left_ > LANES) {
            std::memcpy(&top_->s_axis_tdata, frame_, LANES);
            top_->s_axis_tkeep = FULL;
            top_->s_axis_tlast = 0;
        } else {
            uint8_t lanes[LANES] = {};
            std::memcpy(lanes, frame_, left_);
            std::memcpy(&top_->s_axis_tdata, lanes, LANES);
            top_->s_axis_tkeep = left_ == LANES ? FULL : (uint64_t(1) << left_) - 1;
            top_->s_axis_tlast = 1;
        }
    }

    // What the clock did.
    void look() {
        ++quiet_;
        if (frame_ && top_->s_axis_tready) {
            quiet_ = 0;
            ++beats_in_;
            if (left_ > LANES) {
                frame_ += LANES;
                left_ -= LANES;
                offer();
            } else {
                end();
            }
        }
        if (top_->m_axis_tvalid) {
            quiet_ = 0;
            take();
        } else if (out_bytes_) {
            throw std::runtime_error("m_axis_tvalid fell within a frame");
        }
        Count* stat = strobes_.data();
#define ADD(name) *stat++ += top_->name;
        STAT_PORTS(ADD)
#undef ADD
        if (frame_ && quiet_ > HANG_CLOCKS) throw std::runtime_error("it takes no beat any more");
        if (news_ && (++news_ > NUDGE_CLOCKS || quiet_ > SETTLED_CLOCKS)) nudge_io();
    }

    void end() {
        frame_ = nullptr;
        requests_.pop();
        if (!news_) news_ = 1;
        if (!requests_.empty()) return begin();
        top_->s_axis_tvalid = 0;
    }

    void take() {
        ++beats_out_;
        if (!out_bytes_) out_ = frames_.back();
        std::memcpy(out_ + out_bytes_, &top_->m_axis_tdata, LANES);
        const uint64_t keep = top_->m_axis_tkeep;
        out_bytes_ += keep == FULL ? LANES : size_t(__builtin_popcountll(keep));
        if (out_bytes_ > settings_.frame_limit) throw std::runtime_error("a wire frame is too long");
        if (!top_->m_axis_tlast) return;
        frames_.push(out_bytes_);
        ++frames_out_;
        bytes_out_ += out_bytes_;
        out_bytes_ = 0;
        if (!news_) news_ = 1;
        if (frames_.full()) {
            nudge_io();
            sleep_until([this] { return !frames_.full(); });
        }
    }

    // ---- the thread that reads and writes

    void run_io() {
        const auto to_host = [this](const uint8_t* data, size_t bytes) { write_host(data, bytes); };
        const auto to_peer = [this](const uint8_t* data, size_t bytes) { write_peer(data, bytes); };
        pollfd fds[] = {{settings_.host, POLLIN, 0}, {settings_.peer, POLLIN, 0}, {bell_fd_, POLLIN, 0}};
        while (!stop_) {
            bool busy = send(to_peer);
            const uint64_t begun = ns(CLOCK_THREAD_CPUTIME_ID);
            busy |= carry_back(to_host);
            busy |= fetch();
            host_cpu_ns_ += ns(CLOCK_THREAD_CPUTIME_ID) - begun;
            if (busy) continue;
            io_sleeps_ = true;
            std::atomic_thread_fence(std::memory_order_seq_cst);
            fds[0].events = requests_.full() ? 0 : POLLIN;
            if (frames_.empty() && !stop_) {
                const bool late = there_.holds() || back_.holds();
                if (poll(fds, 3, late ? REORDER_MS : -1) == 0) {
                    there_.release(to_peer);
                    back_.release(to_host);
                }
                for (const pollfd& fd : fds) {
                    if (fd.revents & (POLLERR | POLLHUP | POLLNVAL)) throw std::runtime_error("a TAP device has gone");
                }
            }
            io_sleeps_ = false;
            uint64_t rung;
            if (fds[2].revents && read(bell_fd_, &rung, sizeof rung) < 0 && errno != EAGAIN) throw std::runtime_error("the eventfd has gone");
        }
        there_.release(to_peer);
        back_.release(to_host);
    }

    // From the engine to the wire.
    bool send(auto&& to_peer) {
        int sent = 0;
        for (; sent < BURST && !frames_.empty(); ++sent) {
            there_.carry(frames_.front(), frames_.front_bytes(), to_peer);
            frames_.pop();
        }
        if (sent) nudge_engine();
        return sent;
    }

    // From the wire to the host. A receive engine will stand here.
    bool carry_back(auto&& to_host) {
        int taken = 0;
        for (; taken < BURST; ++taken) {
            const size_t bytes = read_frame(settings_.peer, back_frame_.data(), back_frame_.size());
            if (!bytes) break;
            peer_pcap_.write(back_frame_.data(), bytes);
            back_.carry(back_frame_.data(), bytes, to_host);
        }
        return taken;
    }

    // From the host to the engine.
    bool fetch() {
        int taken = 0;
        for (; taken < BURST && !requests_.full(); ++taken) {
            uint8_t* slot = requests_.back();
            const size_t bytes = read_frame(settings_.host, slot, HEADER_BYTES + LONGEST_BYTES - 1);
            if (!bytes) break;
            if (bytes <= settings_.header_bytes) throw std::runtime_error("the host sent a frame without a byte");
            request_pcap_.write(slot, bytes);
            host_pcap_.write(slot + settings_.header_bytes, bytes - settings_.header_bytes);
            requests_.push(bytes);
            nudge_engine();
        }
        waiting_max_ = std::max(uint64_t(waiting_max_), uint64_t(requests_.size()));
        return taken;
    }

    // The next frame of a device; 0 bytes if there is none now.
    size_t read_frame(int fd, uint8_t* to, size_t room) {
        const ssize_t bytes = read(fd, to, room);
        if (bytes > 0) return size_t(bytes);
        if (bytes < 0 && errno != EAGAIN && errno != EINTR) throw std::runtime_error(std::string("cannot read: ") + std::strerror(errno));
        return 0;
    }

    void write_peer(const uint8_t* data, size_t bytes) {
        peer_pcap_.write(data, bytes);
        const iovec frame = {const_cast<uint8_t*>(data), bytes};
        write_parts(settings_.peer, &frame, 1);
    }

    void write_host(const uint8_t* data, size_t bytes) {
        host_pcap_.write(data, bytes);
        uint8_t header[HEADER_BYTES] = {};  // no request: the host's kernel verifies every checksum itself
        const iovec parts[] = {{header, settings_.header_bytes}, {const_cast<uint8_t*>(data), bytes}};
        write_parts(settings_.host, parts, 2);
        ++back_frames_;
        back_bytes_ += bytes;
    }

    // A TAP takes a frame at once or not at all; other things may have to be waited for.
    void write_parts(int fd, const iovec* parts, int count) {
        while (writev(fd, parts, count) < 0) {
            if (errno != EAGAIN || stop_) {
                ++unwritten_;
                return;
            }
            pollfd room = {fd, POLLOUT, 0};
            poll(&room, 1, PATIENCE_MS);
        }
    }

    const Settings settings_;
    Ring requests_, frames_;
    Wire there_, back_;
    Pcap host_pcap_, peer_pcap_, request_pcap_;
    std::vector<uint8_t> back_frame_;

    VerilatedContext context_;
    std::unique_ptr<Vdut> top_;
    const uint8_t* frame_ = nullptr;  // what is left of the frame being given, if any
    size_t left_ = 0;
    uint8_t* out_ = nullptr;  // the frame being taken
    size_t out_bytes_ = 0;
    uint64_t quiet_ = 0;  // clocks since a beat moved
    uint64_t news_ = 0;   // clocks since something happened that the other thread may not know, or 0
    Count frames_in_, super_frames_in_, bytes_in_, frames_out_, bytes_out_, clocks_, beats_in_, beats_out_;
    std::array<Count, STAT_COUNT> strobes_;

    alignas(64) Count back_frames_, back_bytes_, unwritten_, waiting_max_, host_cpu_ns_;

    alignas(64) std::atomic<bool> stop_{false};
    std::atomic<bool> failing_{false}, failed_{false};
    std::string failure_;
    std::atomic<uint32_t> bell_{0};
    std::atomic<bool> engine_sleeps_{false}, io_sleeps_{false};
    int bell_fd_ = -1;
    std::thread engine_, io_;
};

}  // namespace

// Verilator's runtime ends the process on a fatal error unless this is defined.
void vl_fatal(const char*, int, const char*, const char* message) { throw std::runtime_error(message); }

#define EXPORT extern "C" __attribute__((visibility("default")))

// Starts both threads; on failure null, with the reason in `message`.
EXPORT Live* live_start(const Settings* settings, char* message, size_t room) {
    try {
        return new Live(*settings);
    } catch (const std::exception& error) {
        std::snprintf(message, room, "%s", error.what());
        return nullptr;
    }
}

EXPORT void live_counters(const Live* live, Counters* counters, uint64_t* strobes) { live->counters(counters, strobes); }

EXPORT const char* live_failure(const Live* live) { return live->failure(); }

EXPORT void live_stop(Live* live) { delete live; }

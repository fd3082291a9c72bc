// Drives one Verilated engine, clock by clock: a source that obeys AXI4-Stream, a sink, and monitors of the engine's side of the contract.
//
// The build writes ports.h beside the Verilated model. It defines LANES (bytes of the bus), TUSER_WORDS (32-bit words of s_axis_tuser) and
// TUSER_TOP (the bits in use of the last), USER_BITS (of m_axis_tuser; 0: there is none), HAS_FRAG_SEED, and two lists of ports:
// CFG_PORTS(X) with X(name, mask of its bits), those sampled with a frame's first beat, and STAT_PORTS(X) with X(name).
// Python sees the functions at the end; engine.py mirrors the structures that they share.

#include <algorithm>
#include <array>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <vector>

#include "Vdut.h"
#include "clock.h"
#include "ports.h"
#include "verilated.h"
#if VM_TRACE
#include "verilated_vcd_c.h"
#endif

namespace {

#define COUNT_ONE(...) +1
constexpr size_t CFG_COUNT = 0 CFG_PORTS(COUNT_ONE);
constexpr size_t STAT_COUNT = 0 STAT_PORTS(COUNT_ONE);
constexpr uint64_t FULL = LANES == 64 ? ~uint64_t(0) : (uint64_t(1) << (LANES % 64)) - 1;
constexpr uint64_t PERIOD_PS = 6400;  // of the clock, in a waveform: 156.25 MHz

// When a side pauses: with `probability` in each clock, or, if `run` is not 0, for `pause` clocks after every `run`.
struct Rhythm {
    double probability;
    uint64_t run, pause;
};

struct Settings {
    uint64_t seed;
    Rhythm source, sink;
    uint64_t quiet_limit;  // clocks without a beat after which the engine is empty, or hangs
    uint64_t frame_limit;  // bytes of the longest frame that may leave
    uint64_t shy;          // 1: the sink is ready only while it has seen a beat waiting
    uint64_t garbage;      // 1: noise wherever the contract says that nobody looks
    uint64_t frag_seed;    // on cfg_frag_seed, throughout
    const uint64_t* reset_at;  // clocks with rst high, rising
    uint64_t resets;
    const char* trace;     // file of the waveform, or null
};

// What stands before each frame's bytes in a batch. `faults` pairs of {beat, tkeep} follow the frame, from the next multiple of 8.
struct Head {
    uint64_t bytes, faults;
    uint32_t tuser[TUSER_WORDS];
    uint32_t cfg[CFG_COUNT];
};

struct Fault {
    uint64_t beat, keep;
};

struct FrameIn {
    uint64_t first, last;  // clocks
};

struct FrameOut {
    uint64_t bytes, first, last, user;  // first, last: clocks; user: m_axis_tuser
};

struct Reset {
    uint64_t clock, request, frame;  // request, frame: the first ones after it
};

struct Summary {
    uint64_t clock, first_offer, last_beat, beats_in, beats_out;
};

enum Status { DONE = 0, VIOLATION = 1, HANG = 2, FAULT = 3 };

struct Failure {
    Status status;
};

// xorshift64*: fast, and the same on every machine.
class Random {
public:
    explicit Random(uint64_t seed) : state_(seed * 0x9E3779B97F4A7C15u + 0xD1B54A32D192ED03u) {
        if (!state_) state_ = 1;
        for (int i = 0; i < 8; ++i) next();
    }
    uint64_t next() {
        state_ ^= state_ >> 12;
        state_ ^= state_ << 25;
        state_ ^= state_ >> 27;
        return state_ * 0x2545F4914F6CDD1Du;
    }
    void fill(void* to, size_t bytes) {
        auto* at = static_cast<uint8_t*>(to);
        for (; bytes >= 8; bytes -= 8, at += 8) {
            const uint64_t word = next();
            std::memcpy(at, &word, 8);
        }
        if (bytes) {
            const uint64_t word = next();
            std::memcpy(at, &word, bytes);
        }
    }

private:
    uint64_t state_;
};

class Pauser {
public:
    explicit Pauser(const Rhythm& rhythm)
        : threshold_(uint64_t(rhythm.probability * 4294967296.0)), run_(rhythm.run), period_(rhythm.run + rhythm.pause) {}
    bool pauses(Random& random) {
        if (run_) {
            const bool pause = phase_ >= run_;
            if (++phase_ == period_) phase_ = 0;
            return pause;
        }
        return threshold_ && (random.next() >> 32) < threshold_;
    }

private:
    uint64_t threshold_, run_, period_, phase_ = 0;
};

class Harness {
public:
    explicit Harness(const Settings& settings)
        : settings_(settings),
          resets_at_(settings.reset_at, settings.reset_at + settings.resets),
          random_(settings.seed),
          source_(settings.source),
          sink_(settings.sink) {
        context_.randReset(2);  // every register that has no reset starts with noise
        context_.randSeed(int(random_.next() & 0x3FFFFFFF) | 1);
        context_.traceEverOn(VM_TRACE);
        top_ = std::make_unique<Vdut>(&context_, "offcut");
#if VM_TRACE
        if (settings.trace) {
            wave_ = std::make_unique<VerilatedVcdC>();
            top_->trace(wave_.get(), 99);
            wave_->open(settings.trace);
        }
#endif
        settings_.trace = nullptr;
#if HAS_FRAG_SEED
        top_->cfg_frag_seed = uint32_t(settings.frag_seed);
#endif
        clock_ = std::make_unique<Clock>(*top_);
        clock_once(true);
    }

    ~Harness() {
#if VM_TRACE
        if (wave_) wave_->close();
#endif
        top_->final();
    }

    Status run(const uint8_t* batch, uint64_t count, bool finish) {
        frames_in_.clear();
        frames_out_.clear();
        bytes_out_.erase(bytes_out_.begin(), bytes_out_.begin() + long(out_start_));  // what remains is a frame that is still being sent
        out_start_ = 0;
        next_ = batch;
        left_ = count;
        try {
            while (left_ || head_ || (finish && !empty())) clock_once(false);
        } catch (const Failure& failure) {
            return failure.status;
        } catch (const std::exception& error) {
            std::snprintf(message_.data(), message_.size(), "clock %llu: %s", (unsigned long long)summary.clock, error.what());
            return FAULT;
        }
        return DONE;
    }

    Summary summary{};
    std::array<uint64_t, STAT_COUNT> strobes{};

    const char* message() const { return message_.data(); }
    const std::vector<FrameIn>& frames_in() const { return frames_in_; }
    const std::vector<FrameOut>& frames_out() const { return frames_out_; }
    const std::vector<Reset>& resets() const { return resets_; }
    const uint8_t* bytes_out() const { return bytes_out_.data(); }

private:
    // One clock: drive, tick, look.
    void clock_once(bool start) {
        const bool reset = start || (resets_done_ < resets_at_.size() && resets_at_[resets_done_] <= summary.clock);
        top_->rst = reset;
        if (!showing_) offer();
        ready_ = !sink_.pauses(random_) && (waiting_ || !settings_.shy);
        top_->m_axis_tready = ready_;
        clock_->rise();
        dump(0);
        if (reset) {
            restart(start);
        } else {
            watch();
            count();
            take();
            give();
            judge_progress();
        }
        clock_->fall();
        dump(PERIOD_PS / 2);
        ++summary.clock;
    }

    void dump([[maybe_unused]] uint64_t offset) {
#if VM_TRACE
        if (wave_) wave_->dump(summary.clock * PERIOD_PS + offset);
#endif
    }

    // ---- source

    void offer() {
        if (!head_ && !left_) return noise(true);
        if (source_.pauses(random_)) return noise(true);
        if (!head_) {
            head_ = reinterpret_cast<const Head*>(next_);
            frame_ = next_ + sizeof(Head);
            faults_ = reinterpret_cast<const Fault*>(frame_ + (head_->bytes + 7) / 8 * 8);
            next_ = reinterpret_cast<const uint8_t*>(faults_ + head_->faults);
            --left_;
            beat_ = 0;
            if (!summary.beats_in) summary.first_offer = summary.clock;
        }
        showing_ = true;
        top_->s_axis_tvalid = 1;
        const uint64_t offset = beat_ * LANES;
        const uint64_t rest = head_->bytes - offset;
        uint64_t keep;
        if (rest > LANES) {
            std::memcpy(&top_->s_axis_tdata, frame_ + offset, LANES);
            keep = FULL;
            top_->s_axis_tlast = 0;
        } else {
            uint8_t lanes[LANES];
            if (settings_.garbage) random_.fill(lanes, LANES); else std::memset(lanes, 0, LANES);
            std::memcpy(lanes, frame_ + offset, rest);
            std::memcpy(&top_->s_axis_tdata, lanes, LANES);
            keep = rest == LANES ? FULL : (uint64_t(1) << rest) - 1;
            top_->s_axis_tlast = 1;
        }
        for (uint64_t i = 0; i < head_->faults; ++i) {
            if (faults_[i].beat == beat_) keep = faults_[i].keep;
        }
        top_->s_axis_tkeep = keep;
        if (beat_ == 0) {
            std::memcpy(&top_->s_axis_tuser, head_->tuser, sizeof head_->tuser);
            const uint32_t* cfg = head_->cfg;
#define SET(name, mask) top_->name = *cfg++;
            CFG_PORTS(SET)
#undef SET
        } else {
            noise(false);
        }
    }

    // Noise on all that the engine must not look at: in a pause everything, within a frame tuser and cfg_*.
    void noise(bool pause) {
        if (pause) top_->s_axis_tvalid = 0;
        if (!settings_.garbage) return;
        if (pause) {
            random_.fill(&top_->s_axis_tdata, LANES);
            top_->s_axis_tkeep = random_.next() & FULL;
            top_->s_axis_tlast = random_.next() >> 63;
        }
        uint32_t tuser[TUSER_WORDS];
        random_.fill(tuser, sizeof tuser);
        tuser[TUSER_WORDS - 1] &= TUSER_TOP;
        std::memcpy(&top_->s_axis_tuser, tuser, sizeof tuser);
#define SET(name, mask) top_->name = random_.next() >> 32 & mask;
        CFG_PORTS(SET)
#undef SET
    }

    void take() {
        moved_ = false;
        if (!showing_ || !top_->s_axis_tready) return;
        moved_ = true;
        showing_ = false;
        ++summary.beats_in;
        if (beat_ == 0) first_in_ = summary.clock;
        ++beat_;
        if (!top_->s_axis_tlast) return;
        frames_in_.push_back({first_in_, summary.clock});
        head_ = nullptr;
        ++request_;
    }

    // ---- sink and monitors

    uint64_t keep_shown() const { return top_->m_axis_tkeep; }

    uint64_t user_shown() const {
#if USER_BITS
        return top_->m_axis_tuser;
#else
        return 0;
#endif
    }

    void watch() {
        const bool valid = top_->m_axis_tvalid;
        if (waiting_) {
            if (!valid) fail("m_axis_tvalid was withdrawn while the beat waited for m_axis_tready");
            if (std::memcmp(&shown_.data, &top_->m_axis_tdata, LANES)) fail("m_axis_tdata changed while the beat waited");
            if (shown_.keep != keep_shown()) fail("m_axis_tkeep changed while the beat waited");
            if (shown_.last != top_->m_axis_tlast) fail("m_axis_tlast changed while the beat waited");
            if (user_ != user_shown()) fail("m_axis_tuser changed while the beat waited");
        } else if (valid) {
            watch_beat();
            if (sending_ && user_ != user_shown()) fail("m_axis_tuser changed within a frame");
            user_ = user_shown();
            sending_ = true;
        } else if (sending_) {
            fail("m_axis_tvalid fell within a frame, after byte %llu", (unsigned long long)(bytes_out_.size() - out_start_));
        }
        waiting_ = valid && !ready_;
        if (waiting_) show();
    }

    void watch_beat() {
        const uint64_t keep = keep_shown();
        if (keep == FULL) return;
        if (keep & (keep + 1)) fail("m_axis_tkeep 0x%llx is not contiguous from lane 0", (unsigned long long)keep);
        if (!top_->m_axis_tlast) fail("m_axis_tkeep 0x%llx is not full before the last beat", (unsigned long long)keep);
        if (!keep) fail("m_axis_tkeep is 0 on a last beat");
        const auto* lanes = reinterpret_cast<const uint8_t*>(&top_->m_axis_tdata);
        for (int lane = __builtin_popcountll(keep); lane < LANES; ++lane) {
            if (lanes[lane]) fail("m_axis_tdata has 0x%02x in unused lane %d", lanes[lane], lane);
        }
    }

    void show() {
        std::memcpy(&shown_.data, &top_->m_axis_tdata, LANES);
        shown_.keep = keep_shown();
        shown_.last = top_->m_axis_tlast;
    }

    void give() {
        if (!ready_ || !top_->m_axis_tvalid) return;
        if (coaxed_) fail("m_axis_tvalid waited for m_axis_tready");
        moved_ = true;
        ++summary.beats_out;
        summary.last_beat = summary.clock;
        if (bytes_out_.size() == out_start_) first_out_ = summary.clock;
        const auto* lanes = reinterpret_cast<const uint8_t*>(&top_->m_axis_tdata);
        bytes_out_.insert(bytes_out_.end(), lanes, lanes + (keep_shown() == FULL ? LANES : __builtin_popcountll(keep_shown())));
        const uint64_t bytes = bytes_out_.size() - out_start_;
        if (bytes > settings_.frame_limit) fail("a wire frame is longer than %llu bytes", (unsigned long long)settings_.frame_limit);
        if (!top_->m_axis_tlast) return;
        frames_out_.push_back({bytes, first_out_, summary.clock, user_});
        out_start_ = bytes_out_.size();
        sending_ = false;
        ++frame_count_;
    }

    void count() {
        uint64_t* stat = strobes.data();
#define ADD(name) *stat++ += top_->name;
        STAT_PORTS(ADD)
#undef ADD
    }

    // ---- the run

    void restart(bool start) {
        if (head_ && beat_) {  // the frame that reset cut is lost; one that only waited is offered again
            frames_in_.push_back({first_in_, summary.clock});
            head_ = nullptr;
            ++request_;
        }
        if (start) return;
        while (resets_done_ < resets_at_.size() && resets_at_[resets_done_] <= summary.clock) ++resets_done_;
        resets_.push_back({summary.clock, request_, frame_count_});
        showing_ = waiting_ = sending_ = false;
        bytes_out_.resize(out_start_);
        quiet_ = 0;
    }

    bool empty() const { return quiet_ > settings_.quiet_limit; }

    void judge_progress() {
        const bool drained = !head_ && !left_;
        if (moved_) {
            quiet_ = 0;
        } else if ((ready_ || settings_.shy) && (showing_ || drained)) {
            if (++quiet_ <= settings_.quiet_limit) return;
            if (drained && !top_->m_axis_tvalid) {  // empty; but one that waits for the sink looks just so to a sink that waits
                if (!settings_.shy) return;
                settings_.shy = 0;
                coaxed_ = true;
                quiet_ = 0;
                return;
            }
            const auto bytes = (unsigned long long)(head_ ? head_->bytes : 0);
            message("clock %llu: no beat has moved for %llu clocks with the sink ready; request %llu (%llu bytes) stands at byte %llu, "
                    "s_axis_tvalid %d, s_axis_tready %d, m_axis_tvalid %d; %llu wire frames have left",
                    (unsigned long long)summary.clock, (unsigned long long)quiet_, (unsigned long long)request_, bytes,
                    (unsigned long long)(head_ ? beat_ * LANES : 0), int(showing_), int(top_->s_axis_tready), int(top_->m_axis_tvalid),
                    (unsigned long long)frame_count_);
            throw Failure{HANG};
        }
    }

    void message(const char* format, ...) __attribute__((format(printf, 2, 3))) {
        va_list arguments;
        va_start(arguments, format);
        std::vsnprintf(message_.data(), message_.size(), format, arguments);
        va_end(arguments);
    }

    [[noreturn]] void fail(const char* format, ...) __attribute__((format(printf, 2, 3))) {
        std::array<char, 256> what;
        va_list arguments;
        va_start(arguments, format);
        std::vsnprintf(what.data(), what.size(), format, arguments);
        va_end(arguments);
        message("clock %llu, wire frame %llu: %s", (unsigned long long)summary.clock, (unsigned long long)frame_count_, what.data());
        throw Failure{VIOLATION};
    }

    struct Beat {
        uint8_t data[LANES];
        uint64_t keep;
        bool last;
    };

    Settings settings_;
    std::vector<uint64_t> resets_at_;
    Random random_;
    Pauser source_, sink_;
    VerilatedContext context_;
    std::unique_ptr<Vdut> top_;
    std::unique_ptr<Clock> clock_;
#if VM_TRACE
    std::unique_ptr<VerilatedVcdC> wave_;
#endif

    const uint8_t* next_ = nullptr;  // the next head in the batch
    uint64_t left_ = 0;              // frames in the batch that were not begun
    const Head* head_ = nullptr;     // the frame being given, if any
    const uint8_t* frame_ = nullptr;
    const Fault* faults_ = nullptr;
    uint64_t beat_ = 0, request_ = 0, first_in_ = 0;
    bool showing_ = false;  // s_axis_tvalid is 1 with a beat that was not taken yet

    bool ready_ = false, waiting_ = false, sending_ = false, moved_ = false, coaxed_ = false;
    Beat shown_{};
    uint64_t quiet_ = 0, frame_count_ = 0, first_out_ = 0, user_ = 0;
    size_t resets_done_ = 0;

    std::vector<uint8_t> bytes_out_;
    size_t out_start_ = 0;  // where the frame being sent begins in bytes_out_
    std::vector<FrameIn> frames_in_;
    std::vector<FrameOut> frames_out_;
    std::vector<Reset> resets_;
    std::array<char, 512> message_{};
};

}  // namespace

// Verilator's runtime ends the process on a fatal error unless this is defined.
void vl_fatal(const char*, int, const char*, const char* message) { throw std::runtime_error(message); }

#define EXPORT extern "C" __attribute__((visibility("default")))

struct Output {
    uint64_t bytes_out_address, frames_in, frames_in_address, frames_out, frames_out_address, resets, resets_address, message_address;
};

EXPORT Harness* harness_new(const Settings* settings) {
    try {
        return new Harness(*settings);
    } catch (const std::exception&) {
        return nullptr;
    }
}

EXPORT void harness_delete(Harness* harness) { delete harness; }

EXPORT int harness_run(Harness* harness, const uint8_t* batch, uint64_t count, int finish, Summary* summary, uint64_t* strobes, Output* output) {
    const Status status = harness->run(batch, count, finish);
    const auto address = [](const void* pointer) { return reinterpret_cast<uint64_t>(pointer); };
    *summary = harness->summary;
    std::copy(harness->strobes.begin(), harness->strobes.end(), strobes);
    *output = {
        address(harness->bytes_out()),
        harness->frames_in().size(), address(harness->frames_in().data()),
        harness->frames_out().size(), address(harness->frames_out().data()),
        harness->resets().size(), address(harness->resets().data()),
        address(harness->message()),
    };
    return status;
}

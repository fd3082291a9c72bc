// The clock of a Verilated model. Whatever drives one includes this, and calls rise() and fall() in turn.
//
// The model is the engine behind one flip-flop on every input (build.py): what is driven before a rising edge is what the engine sees in the
// clock that begins with it, and all that it answers in that clock stands on its outputs after it. So nothing is evaluated twice.
// Some of its modules may rest (resting.py says when, and why nobody can tell): ports.h defines RESTS as 1, and bench has four more ports.

#pragma once

#include "Vdut.h"
#include "ports.h"

class Clock {
public:
    explicit Clock(Vdut& top) : top_(top) {
        top_.clk = 0;
#if RESTS
        top_.clk_resting = top_.resting_look = 0;
#endif
        top_.eval();
    }

    void rise() {
        top_.clk = 1;
#if RESTS
        top_.clk_resting = stirred_;
#endif
        top_.eval();
#if RESTS
        stirred_ = top_.resting_changed;
        while (top_.resting_differs) {
            stirred_ = true;
            top_.resting_look = !top_.resting_look;
            top_.eval();
        }
#endif
    }

    void fall() {
        top_.clk = 0;
#if RESTS
        top_.clk_resting = 0;
#endif
        top_.eval();
    }

private:
    Vdut& top_;
    bool stirred_ = true;  // at first nothing is known
};

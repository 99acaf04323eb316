/* The stack machine that computes CertLogic. One kind of program and one machine for the dataplane's facts and for the
 * JSON that `chengmen rules eval` is given: where values come from is the caller's `read`. Never allocates: its stack
 * is its own, its room the caller's. */
#pragma once

#include "dataplane/value.h"

#define MACHINE_STACK_MAX 512
#define MACHINE_REDUCE_DEPTH_MAX 8
#define MACHINE_CODE_MAX 65535

/* Operands of each stand in `small`, `count` and `operand` as the comment says. */
enum machine_operation {
    OP_CONSTANT,      /* operand: constant */
    OP_READ,          /* operand: slot of the facts */
    OP_ACCUMULATOR,   /* of the innermost reduce */
    OP_CURRENT,       /* of the innermost reduce */
    OP_CONTEXT,       /* the innermost reduce's data: {accumulator, current} */
    OP_DRILL,         /* operand: constant, the fragment's text */
    OP_ARRAY,         /* count: items taken from the stack */
    OP_SAME,          /* === */
    OP_IN,            /* in */
    OP_PLUS,          /* + */
    OP_COMPARE,       /* small: enum machine_relation; count: 2 or 3 operands, integers */
    OP_COMPARE_TIMES, /* the same with date-times */
    OP_NOT,           /* ! */
    OP_PLUS_TIME,     /* small: enum time_unit; operand: constant, the amount */
    OP_DATE_OF_BIRTH, /* dccDateOfBirth */
    OP_EXTRACT,       /* extractFromUVCI; operand: constant, the index */
    OP_AND,           /* falsy: keep it and go `operand` instructions on; truthy: drop it */
    OP_TRUTH,         /* refuses what is neither truthy nor falsy */
    OP_IF,            /* takes the guard; falsy: goes `operand` instructions on */
    OP_JUMP,          /* goes `operand` instructions on */
    OP_REDUCE,        /* takes operand and initial value; the `operand` instructions that follow are the lambda */
    OP_COUNT
};

enum machine_relation { RELATION_LESS, RELATION_GREATER, RELATION_LESS_EQUAL, RELATION_GREATER_EQUAL, RELATION_COUNT };

struct instruction {
    uint8_t operation;
    uint8_t small;
    uint16_t count;
    uint32_t operand;
};
static_assert(sizeof(struct instruction) == 8, "programs carry it");

struct machine_code {
    const struct instruction *instructions;
    uint32_t count;
    const struct value *constants;
    uint32_t constant_count;
};

/* What one run can take at most, where no array is longer than `array_max`. */
struct machine_bounds {
    uint64_t steps; /* instructions, and items that "in" looks at */
    uint64_t room;  /* values */
    uint32_t stack; /* values */
    bool errs;      /* whether there are facts on which it errs */
};

/* Checks code that comes from outside: operations, constants, slots below `slots`, jumps, the stack's height on every
 * way. NULL, or what is wrong. Code that passes cannot leave its bounds, nor the machine its stack. */
const char *machine_check(const struct machine_code *code, uint32_t slots, uint32_t array_max,
                          struct machine_bounds *out);

/* Space for what a run makes: arrays, contexts, texts. */
struct machine_room {
    struct value *values;
    uint64_t used;
    uint64_t size;
};
/* NULL where the room is full. */
struct value *machine_take(struct machine_room *room, uint64_t count);

struct machine {
    /* The value of a slot. What it makes lives in the room. */
    struct value (*read)(void *source, uint32_t slot, struct machine_room *room);
    void *source;
    struct machine_room room;
    uint64_t steps_left; /* of loops */
    const char *error;   /* static, set where machine_run fails */
};

/* False where the expression errs on these facts. The code has passed machine_check. */
bool machine_run(struct machine *machine, const struct machine_code *code, struct value *out);

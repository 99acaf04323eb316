#include <stdlib.h>

#include "dataplane/date_time.h"
#include "dataplane/machine.h"

#define HEIGHT_UNKNOWN 0
#define COST_MAX (UINT64_C(1) << 40)

/* Heights are those above the code's own base, plus one, so that 0 says unknown. */
struct check {
    const struct machine_code *code;
    uint32_t slots;
    uint32_t array_max;
    uint16_t *height_at; /* of instructions that something jumps to */
    uint32_t stack_max;
    bool errs;
    const char *wrong;
};

struct cost {
    uint64_t steps;
    uint64_t room;
};

static bool wrong(struct check *check, const char *why)
{
    check->wrong = why;
    return false;
}

static bool constant_of(struct check *check, const struct instruction *at, enum value_kind kind)
{
    return (at->operand < check->code->constant_count && check->code->constants[at->operand].kind == kind) ||
           wrong(check, "constant of the wrong kind");
}

/* What an instruction takes from the stack and gives back, and whether its own fields are right. */
static bool shape(struct check *check, const struct instruction *at, bool in_lambda, unsigned *takes, unsigned *gives)
{
    *takes = 1;
    *gives = 1;
    switch ((enum machine_operation)at->operation) {
    case OP_CONSTANT:
        *takes = 0;
        return at->operand < check->code->constant_count || wrong(check, "no such constant");
    case OP_READ:
        *takes = 0;
        return at->operand < check->slots || wrong(check, "no such fact");
    case OP_ACCUMULATOR:
    case OP_CURRENT:
    case OP_CONTEXT:
        *takes = 0;
        return in_lambda || wrong(check, "accumulator outside of reduce");
    case OP_DRILL:
        return constant_of(check, at, VALUE_TEXT);
    case OP_ARRAY:
        *takes = at->count;
        return true;
    case OP_SAME:
    case OP_IN:
    case OP_PLUS:
    case OP_REDUCE:
        *takes = 2;
        return true;
    case OP_COMPARE:
    case OP_COMPARE_TIMES:
        *takes = at->count;
        return (at->small < RELATION_COUNT && (at->count == 2 || at->count == 3)) || wrong(check, "no such comparison");
    case OP_NOT:
    case OP_DATE_OF_BIRTH:
    case OP_TRUTH:
        return true;
    case OP_PLUS_TIME:
        return constant_of(check, at, VALUE_NUMBER) && (at->small < TIME_UNIT_COUNT || wrong(check, "no such unit"));
    case OP_EXTRACT:
        return constant_of(check, at, VALUE_NUMBER);
    case OP_AND:
    case OP_IF:
        *gives = 0;
        return true;
    case OP_JUMP:
        *takes = 0;
        *gives = 0;
        return true;
    case OP_COUNT:
        break;
    }
    return wrong(check, "no such operation");
}

static bool jump(struct check *check, uint64_t to, uint32_t end, uint32_t height)
{
    if (to > end)
        return wrong(check, "jump out of its block");
    uint16_t expected = (uint16_t)(height + 1);
    if (check->height_at[to] != HEIGHT_UNKNOWN && check->height_at[to] != expected)
        return wrong(check, "stack heights differ");
    check->height_at[to] = expected;
    return true;
}

static uint64_t saturate(uint64_t cost)
{
    return cost < COST_MAX ? cost : COST_MAX;
}

static uint64_t room_of(const struct instruction *at)
{
    switch (at->operation) {
    case OP_ARRAY:
        return at->count > 0 ? at->count : 1;
    case OP_CONTEXT:
        return 4;
    case OP_EXTRACT:
        return VALUE_TEXT_ROOM / sizeof(struct value);
    default:
        return 0;
    }
}

/* The constant array that an "in" looks through, or NULL where it may be another. */
static const struct value *constant_array(const struct check *check, uint32_t index)
{
    const struct instruction *at = &check->code->instructions[index];
    if (index == 0 || at[-1].operation != OP_CONSTANT || check->height_at[index] != HEIGHT_UNKNOWN)
        return NULL;
    const struct value *constant = &check->code->constants[at[-1].operand];
    return constant->kind == VALUE_ARRAY ? constant : NULL;
}

static uint64_t steps_of(const struct check *check, uint32_t index)
{
    const struct value *array = constant_array(check, index);
    if (check->code->instructions[index].operation != OP_IN)
        return 1;
    return 1 + (array ? array->length : check->array_max);
}

static bool may_err(const struct check *check, uint32_t index)
{
    const struct instruction *at = &check->code->instructions[index];
    switch (at->operation) {
    case OP_CONSTANT:
    case OP_READ:
    case OP_DRILL:
    case OP_SAME:
    case OP_NOT:
    case OP_AND:
    case OP_TRUTH:
    case OP_IF:
    case OP_JUMP:
        return false;
    case OP_IN: /* values that are neither truthy nor falsy come of plusTime only */
        return constant_array(check, index) == NULL;
    default:
        return true;
    }
}

/* One stretch of instructions, the code itself or a lambda, which leaves one value above `base`. */
struct block {
    uint32_t end;
    uint32_t base;
    uint32_t height;
    unsigned lambdas;
    bool reached;
    struct cost cost;
};

static bool check_block(struct check *check, uint32_t begin, struct block *block);

/* Where ways meet they must find the stack at one height. */
static bool meet(struct check *check, struct block *block, uint32_t index)
{
    if (check->height_at[index] == HEIGHT_UNKNOWN)
        return block->reached || wrong(check, "instruction that nothing reaches");
    uint32_t height = check->height_at[index] - 1u;
    if (block->reached && block->height != height)
        return wrong(check, "stack heights differ");
    block->height = height;
    block->reached = true;
    return true;
}

static bool check_lambda(struct check *check, uint32_t begin, const struct instruction *at, struct block *block)
{
    if (block->lambdas == MACHINE_REDUCE_DEPTH_MAX || at->operand == 0 || at->operand > block->end - begin)
        return wrong(check, "reduce out of bounds");
    struct block lambda = {.end = begin + at->operand,
                           .base = block->height - 1,
                           .height = block->height - 1,
                           .lambdas = block->lambdas + 1,
                           .reached = true};
    for (uint32_t i = begin; i < lambda.end; i++)
        if (check->height_at[i] != HEIGHT_UNKNOWN)
            return wrong(check, "jump into a reduce");
    if (!check_block(check, begin, &lambda))
        return false;
    block->cost.steps = saturate(block->cost.steps + lambda.cost.steps * check->array_max);
    block->cost.room = saturate(block->cost.room + lambda.cost.room * check->array_max);
    return true;
}

static bool check_instruction(struct check *check, uint32_t index, struct block *block)
{
    const struct instruction *at = &check->code->instructions[index];
    unsigned takes, gives;
    if (!shape(check, at, block->lambdas > 0, &takes, &gives))
        return false;
    if (block->height < block->base + takes)
        return wrong(check, "too few values on the stack");
    check->errs = check->errs || may_err(check, index);
    block->cost.steps = saturate(block->cost.steps + steps_of(check, index));
    block->cost.room = saturate(block->cost.room + room_of(at));
    if (at->operation == OP_AND && !jump(check, (uint64_t)index + 1 + at->operand, block->end, block->height))
        return false;
    block->height = block->height - takes + gives;
    if (block->height > MACHINE_STACK_MAX)
        return wrong(check, "stack too high");
    if (block->height > check->stack_max)
        check->stack_max = block->height;
    if ((at->operation == OP_IF || at->operation == OP_JUMP) &&
        !jump(check, (uint64_t)index + 1 + at->operand, block->end, block->height))
        return false;
    block->reached = at->operation != OP_JUMP;
    return true;
}

static bool check_block(struct check *check, uint32_t begin, struct block *block)
{
    for (uint32_t i = begin; i < block->end; i++) {
        const struct instruction *at = &check->code->instructions[i];
        if (!meet(check, block, i) || !check_instruction(check, i, block))
            return false;
        if (at->operation == OP_REDUCE) {
            if (!check_lambda(check, i + 1, at, block))
                return false;
            i += at->operand;
        }
    }
    if (!meet(check, block, block->end))
        return false;
    check->height_at[block->end] = HEIGHT_UNKNOWN;
    return block->height == block->base + 1 || wrong(check, "block does not leave one value");
}

const char *machine_check(const struct machine_code *code, uint32_t slots, uint32_t array_max,
                          struct machine_bounds *out)
{
    struct block block = {.end = code->count, .reached = true};
    if (code->count == 0 || code->count > MACHINE_CODE_MAX)
        return "code too long";
    struct check check = {.code = code, .slots = slots, .array_max = array_max};
    check.height_at = calloc(code->count + 1, sizeof *check.height_at);
    if (!check.height_at)
        return "out of memory";
    check_block(&check, 0, &block);
    free(check.height_at);
    *out = (struct machine_bounds){block.cost.steps, block.cost.room, check.stack_max, check.errs};
    return check.wrong;
}

#include "dataplane/machine.h"

#include "dataplane/date_time.h"

struct reduce {
    const struct value *items;
    uint32_t count;
    uint32_t index;
    uint32_t begin; /* of the lambda */
    uint32_t end;
    struct value accumulator;
    struct value context; /* of this turn; null until somebody asks, then one object for all who do */
};

struct run {
    struct machine *machine;
    const struct machine_code *code;
    uint32_t next; /* instruction */
    uint32_t end;  /* of the innermost lambda, or of the code */
    uint32_t serial;
    unsigned depth; /* of reduce */
    struct value *top;
    struct reduce frames[MACHINE_REDUCE_DEPTH_MAX];
    struct value stack[MACHINE_STACK_MAX + 1]; /* the first is never used: the empty stack's top */
};

struct value *machine_take(struct machine_room *room, uint64_t count)
{
    if (count > room->size - room->used)
        return NULL;
    struct value *values = room->values + room->used;
    room->used += count;
    return values;
}

static bool err(struct run *run, const char *error)
{
    run->machine->error = error;
    return false;
}

static struct reduce *innermost(struct run *run)
{
    return &run->frames[run->depth - 1];
}

static void push(struct run *run, struct value value)
{
    *++run->top = value;
}

static const struct value *constant(const struct run *run, const struct instruction *at)
{
    return &run->code->constants[at->operand];
}

static struct value date_time(struct run *run, int64_t ms)
{
    return (struct value){.kind = VALUE_DATE_TIME, .length = ++run->serial, .time_ms = ms};
}

static bool run_context(struct run *run)
{
    static const struct value names[2] = {
        {.kind = VALUE_TEXT, .length = 11, .text = (const uint8_t *)"accumulator"},
        {.kind = VALUE_TEXT, .length = 7, .text = (const uint8_t *)"current"},
    };
    struct reduce *frame = innermost(run);
    if (frame->context.kind == VALUE_OBJECT) {
        push(run, frame->context);
        return true;
    }
    struct value_member *members = (struct value_member *)machine_take(&run->machine->room, 4);
    if (!members)
        return err(run, "result too large");
    members[0] = (struct value_member){names[0], frame->accumulator};
    members[1] = (struct value_member){names[1], frame->items[frame->index]};
    frame->context = (struct value){.kind = VALUE_OBJECT, .length = 2, .members = members};
    push(run, frame->context);
    return true;
}

static bool run_array(struct run *run, uint16_t count)
{
    /* An empty array takes a place too: it is told from others by where it is. */
    struct value *items = machine_take(&run->machine->room, count > 0 ? count : 1);
    if (!items)
        return err(run, "result too large");
    run->top -= count;
    memcpy(items, run->top + 1, count * sizeof *items);
    push(run, (struct value){.kind = VALUE_ARRAY, .length = count, .items = items});
    return true;
}

static bool run_in(struct run *run)
{
    const struct value *array = run->top--;
    struct value *item = run->top;
    bool found = false;
    if (array->kind != VALUE_ARRAY)
        return err(run, "right-hand side of \"in\" is not an array");
    for (uint32_t i = 0; i < array->length && !found; i++)
        found = value_same(item, &array->items[i]);
    *item = value_of_bool(found);
    return true;
}

static bool run_plus(struct run *run)
{
    const struct value *right = run->top--;
    if (!value_is_integer(right) || !value_is_integer(run->top))
        return err(run, "operands of \"+\" are not both integers");
    run->top->number += right->number;
    return true;
}

static bool holds(enum machine_relation relation, int order)
{
    switch (relation) {
    case RELATION_LESS:
        return order < 0;
    case RELATION_GREATER:
        return order > 0;
    case RELATION_LESS_EQUAL:
        return order <= 0;
    default:
        return order >= 0;
    }
}

static bool run_compare(struct run *run, const struct instruction *at)
{
    struct value *operands = run->top - at->count + 1;
    bool all = true;
    for (unsigned i = 0; i < at->count; i++)
        if (!value_is_integer(&operands[i]))
            return err(run, "operand of a comparison is not an integer");
    for (unsigned i = 1; i < at->count; i++) {
        double left = operands[i - 1].number, right = operands[i].number;
        all = all && holds((enum machine_relation)at->small, (left > right) - (left < right));
    }
    run->top = operands;
    *operands = value_of_bool(all);
    return true;
}

static bool run_compare_times(struct run *run, const struct instruction *at)
{
    struct value *operands = run->top - at->count + 1;
    bool all = true;
    for (unsigned i = 0; i < at->count; i++)
        if (operands[i].kind != VALUE_DATE_TIME)
            return err(run, "operand of a date-time comparison is not a date-time");
    for (unsigned i = 1; i < at->count; i++) {
        int64_t left = operands[i - 1].time_ms, right = operands[i].time_ms;
        all = all && holds((enum machine_relation)at->small, (left > right) - (left < right));
    }
    run->top = operands;
    *operands = value_of_bool(all);
    return true;
}

static bool to_ms(const struct value *value, int64_t *ms)
{
    switch (value->kind) {
    case VALUE_TEXT:
        return date_time_parse(value_bytes(value), ms);
    case VALUE_INSTANT:
        *ms = (int64_t)(value->time_s * 1000);
        return value->time_s <= DATE_TIME_S_MAX;
    case VALUE_DAY:
        *ms = (int64_t)value->day * 86400000 - 8 * 3600000;
        return value->day <= DATE_TIME_S_MAX / 86400;
    default:
        return false;
    }
}

static bool run_plus_time(struct run *run, const struct instruction *at)
{
    int64_t ms;
    if (run->top->kind != VALUE_TEXT && run->top->kind != VALUE_INSTANT && run->top->kind != VALUE_DAY)
        return err(run, "date of \"plusTime\" is not a text");
    if (!to_ms(run->top, &ms))
        return err(run, "not a date or date-time");
    if (!date_time_plus(ms, constant(run, at)->number, (enum time_unit)at->small, &ms))
        return err(run, "date-time out of range");
    *run->top = date_time(run, ms);
    return true;
}

static bool run_date_of_birth(struct run *run)
{
    int64_t ms;
    if (run->top->kind != VALUE_TEXT || !date_of_birth_parse(value_bytes(run->top), &ms))
        return err(run, "not a date of birth");
    *run->top = date_time(run, ms);
    return true;
}

/* The fragment of that index between the separators / # : behind the optional prefix. */
static struct value extract(struct bytes text, double index)
{
    static const char prefix[] = "URN:UVCI:";
    size_t start = 0, end;
    if (text.length >= sizeof prefix - 1 && memcmp(text.data, prefix, sizeof prefix - 1) == 0)
        start = sizeof prefix - 1;
    for (double fragment = 0; index >= 0; fragment++, start = end + 1) {
        for (end = start; end < text.length && !memchr("/#:", text.data[end], 3); end++)
            ;
        if (fragment == index)
            return value_of_text((struct bytes){text.data + start, end - start});
        if (end == text.length)
            break;
    }
    return (struct value){.kind = VALUE_NULL};
}

static bool run_extract(struct run *run, const struct instruction *at)
{
    struct bytes text = {NULL, 0};
    if (run->top->kind == VALUE_NULL)
        return true;
    if (run->top->kind == VALUE_TEXT) {
        text = value_bytes(run->top);
    } else {
        uint8_t *room = (uint8_t *)machine_take(&run->machine->room, VALUE_TEXT_ROOM / sizeof(struct value));
        if (!room || !value_text(run->top, room, &text))
            return err(run, "operand of \"extractFromUVCI\" is neither text nor null");
    }
    *run->top = extract(text, constant(run, at)->number);
    return true;
}

static bool run_not(struct run *run)
{
    enum truth truth = value_truth(run->top);
    if (truth == TRUTH_NEITHER)
        return err(run, "operand of \"!\" is neither truthy nor falsy");
    *run->top = value_of_bool(truth == TRUTH_FALSY);
    return true;
}

static bool run_and(struct run *run, const struct instruction *at)
{
    switch (value_truth(run->top)) {
    case TRUTH_FALSY:
        run->next += at->operand;
        return true;
    case TRUTH_TRUTHY:
        run->top--;
        return true;
    case TRUTH_NEITHER:
        break;
    }
    return err(run, "operand of \"and\" is neither truthy nor falsy");
}

static bool run_if(struct run *run, const struct instruction *at)
{
    enum truth truth = value_truth(run->top--);
    if (truth == TRUTH_NEITHER)
        return err(run, "guard of \"if\" is neither truthy nor falsy");
    if (truth == TRUTH_FALSY)
        run->next += at->operand;
    return true;
}

static bool run_reduce(struct run *run, const struct instruction *at)
{
    struct value initial = *run->top--;
    struct value array = *run->top--;
    if (array.kind != VALUE_ARRAY && array.kind != VALUE_NULL)
        return err(run, "operand of \"reduce\" is neither an array nor null");
    if (array.kind == VALUE_NULL || array.length == 0) {
        push(run, initial);
        run->next += at->operand;
        return true;
    }
    run->frames[run->depth++] = (struct reduce){array.items, array.length,        0, run->next, run->next + at->operand,
                                                initial,     {.kind = VALUE_NULL}};
    run->end = run->next + at->operand;
    return true;
}

/* The end of the innermost lambda: the next item, or out of the loop. */
static bool reduce_next(struct run *run)
{
    struct reduce *frame = innermost(run);
    uint32_t length = frame->end - frame->begin;
    if (run->machine->steps_left < length)
        return err(run, "too many steps");
    run->machine->steps_left -= length;
    if (++frame->index < frame->count) {
        frame->accumulator = *run->top--;
        frame->context.kind = VALUE_NULL;
        run->next = frame->begin;
        return true;
    }
    run->depth--;
    run->end = run->depth > 0 ? innermost(run)->end : run->code->count;
    return true;
}

static bool step(struct run *run, const struct instruction *at)
{
    switch ((enum machine_operation)at->operation) {
    case OP_CONSTANT:
        push(run, *constant(run, at));
        return true;
    case OP_READ:
        push(run, run->machine->read(run->machine->source, at->operand, &run->machine->room));
        return true;
    case OP_ACCUMULATOR:
        push(run, innermost(run)->accumulator);
        return true;
    case OP_CURRENT:
        push(run, innermost(run)->items[innermost(run)->index]);
        return true;
    case OP_CONTEXT:
        return run_context(run);
    case OP_DRILL:
        *run->top = value_drill(run->top, value_bytes(constant(run, at)));
        return true;
    case OP_ARRAY:
        return run_array(run, at->count);
    case OP_SAME:
        run->top--;
        *run->top = value_of_bool(value_same(run->top, run->top + 1));
        return true;
    case OP_IN:
        return run_in(run);
    case OP_PLUS:
        return run_plus(run);
    case OP_COMPARE:
        return run_compare(run, at);
    case OP_COMPARE_TIMES:
        return run_compare_times(run, at);
    case OP_NOT:
        return run_not(run);
    case OP_PLUS_TIME:
        return run_plus_time(run, at);
    case OP_DATE_OF_BIRTH:
        return run_date_of_birth(run);
    case OP_EXTRACT:
        return run_extract(run, at);
    case OP_AND:
        return run_and(run, at);
    case OP_TRUTH:
        return value_truth(run->top) != TRUTH_NEITHER || err(run, "operand of \"and\" is neither truthy nor falsy");
    case OP_IF:
        return run_if(run, at);
    case OP_JUMP:
        run->next += at->operand;
        return true;
    case OP_REDUCE:
        return run_reduce(run, at);
    case OP_COUNT:
        break;
    }
    return err(run, "not an operation");
}

bool machine_run(struct machine *machine, const struct machine_code *code, struct value *out)
{
    struct run run;
    run.machine = machine;
    run.code = code;
    run.next = 0;
    run.end = code->count;
    run.serial = 0;
    run.depth = 0;
    run.top = run.stack;
    for (;;) {
        while (run.next < run.end)
            if (!step(&run, &code->instructions[run.next++]))
                return false;
        if (run.depth == 0)
            break;
        if (!reduce_next(&run))
            return false;
    }
    *out = *run.top;
    return true;
}

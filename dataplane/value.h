/* The values that rules compute with: those of JSON, and date-times (CertLogic specification, "Values"). */
#pragma once

#include <assert.h>

#include "keys/bytes.h"

enum value_kind {
    VALUE_NULL,
    VALUE_BOOL,
    VALUE_NUMBER, /* a double, as in the language's reference; integers are those without a fraction */
    VALUE_TEXT,
    VALUE_ARRAY,
    VALUE_OBJECT,
    VALUE_DATE_TIME, /* milliseconds since 1970; only plusTime and dccDateOfBirth make them */
    VALUE_INSTANT,   /* a TIME fact: the text "YYYY-MM-DDThh:mm:ssZ", kept as seconds until somebody reads it */
    VALUE_DAY,       /* a DAY fact: the text "YYYY-MM-DDT00:00:00+08:00", kept as days since 1970 */
};

struct value_member;

/* Texts, items and members belong to the facts, the program or the machine's room. */
struct value {
    enum value_kind kind;
    uint32_t length; /* of text (bytes), items, members; of a DATE_TIME its serial, which tells one from another */
    union {
        bool boolean;
        double number;
        const uint8_t *text;
        const struct value *items;
        const struct value_member *members;
        int64_t time_ms;
        uint64_t time_s;
        uint64_t day;
    };
};
static_assert(sizeof(struct value) == 16, "stack and room are sized by it");

struct value_member {
    struct value name; /* text */
    struct value value;
};

enum truth { TRUTH_FALSY, TRUTH_TRUTHY, TRUTH_NEITHER };

enum truth value_truth(const struct value *value);
/* The operator ===: texts, numbers and booleans by content, arrays, objects and date-times by identity, as in the
 * language's reference. */
bool value_same(const struct value *a, const struct value *b);
/* A number without a fraction. */
bool value_is_integer(const struct value *value);
/* One step of a path: a member, an item, or null. */
struct value value_drill(const struct value *value, struct bytes fragment);

#define VALUE_TEXT_ROOM 32
/* The text of a TEXT, INSTANT or DAY; the latter two are written to `room`. False for other kinds, and for a time
 * whose year does not have four digits. */
bool value_text(const struct value *value, uint8_t room[VALUE_TEXT_ROOM], struct bytes *out);

static inline struct value value_of_bool(bool boolean)
{
    return (struct value){.kind = VALUE_BOOL, .boolean = boolean};
}

static inline struct value value_of_number(double number)
{
    return (struct value){.kind = VALUE_NUMBER, .number = number};
}

static inline struct value value_of_text(struct bytes text)
{
    return (struct value){.kind = VALUE_TEXT, .length = (uint32_t)text.length, .text = text.data};
}

static inline struct bytes value_bytes(const struct value *text)
{
    return (struct bytes){text->text, text->length};
}

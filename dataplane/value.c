#include "dataplane/value.h"

#include <math.h>

#include "dataplane/date_time.h"

enum truth value_truth(const struct value *value)
{
    switch (value->kind) {
    case VALUE_NULL:
        return TRUTH_FALSY;
    case VALUE_BOOL:
        return value->boolean ? TRUTH_TRUTHY : TRUTH_FALSY;
    case VALUE_NUMBER:
        return value->number != 0 ? TRUTH_TRUTHY : TRUTH_FALSY;
    case VALUE_TEXT:
    case VALUE_ARRAY:
    case VALUE_OBJECT:
        return value->length > 0 ? TRUTH_TRUTHY : TRUTH_FALSY;
    case VALUE_INSTANT:
    case VALUE_DAY:
        return TRUTH_TRUTHY;
    case VALUE_DATE_TIME:
        break;
    }
    return TRUTH_NEITHER;
}

static bool is_text(const struct value *value)
{
    return value->kind == VALUE_TEXT || value->kind == VALUE_INSTANT || value->kind == VALUE_DAY;
}

static bool same_text(const struct value *a, const struct value *b)
{
    if (a->kind == VALUE_TEXT && b->kind == VALUE_TEXT)
        return bytes_equal(value_bytes(a), value_bytes(b));
    uint8_t room_a[VALUE_TEXT_ROOM], room_b[VALUE_TEXT_ROOM];
    struct bytes text_a, text_b;
    return value_text(a, room_a, &text_a) && value_text(b, room_b, &text_b) && bytes_equal(text_a, text_b);
}

bool value_same(const struct value *a, const struct value *b)
{
    if (is_text(a) && is_text(b))
        return same_text(a, b);
    if (a->kind != b->kind)
        return false;
    switch (a->kind) {
    case VALUE_NULL:
        return true;
    case VALUE_BOOL:
        return a->boolean == b->boolean;
    case VALUE_NUMBER:
        return a->number == b->number;
    case VALUE_ARRAY:
        return a->items == b->items && a->length == b->length;
    case VALUE_OBJECT:
        return a->members == b->members && a->length == b->length;
    case VALUE_DATE_TIME:
        return a->length == b->length;
    case VALUE_TEXT:
    case VALUE_INSTANT:
    case VALUE_DAY:
        break;
    }
    return false;
}

bool value_is_integer(const struct value *value)
{
    return value->kind == VALUE_NUMBER && isfinite(value->number) && trunc(value->number) == value->number;
}

static struct value drill_array(const struct value *array, struct bytes fragment)
{
    uint64_t index = 0;
    for (size_t i = 0; i < fragment.length; i++) {
        if (fragment.data[i] < '0' || fragment.data[i] > '9' || index > UINT32_MAX)
            return (struct value){.kind = VALUE_NULL};
        index = index * 10 + (fragment.data[i] - '0');
    }
    if (fragment.length == 0 || index >= array->length)
        return (struct value){.kind = VALUE_NULL};
    return array->items[index];
}

struct value value_drill(const struct value *value, struct bytes fragment)
{
    if (value->kind == VALUE_ARRAY)
        return drill_array(value, fragment);
    if (value->kind == VALUE_OBJECT)
        for (uint32_t i = 0; i < value->length; i++)
            if (bytes_equal(value_bytes(&value->members[i].name), fragment))
                return value->members[i].value;
    return (struct value){.kind = VALUE_NULL};
}

bool value_text(const struct value *value, uint8_t room[VALUE_TEXT_ROOM], struct bytes *out)
{
    static const char shanghai_midnight[] = "T00:00:00+08:00";
    size_t size;
    switch (value->kind) {
    case VALUE_TEXT:
        *out = value_bytes(value);
        return true;
    case VALUE_INSTANT:
        size = date_time_write_s(value->time_s, (char *)room);
        break;
    case VALUE_DAY:
        size = value->day > DATE_TIME_S_MAX / 86400 ? 0 : date_time_write_s(value->day * 86400, (char *)room);
        if (size > 0) {
            size = DATE_SIZE + sizeof shanghai_midnight - 1;
            memcpy(room + DATE_SIZE, shanghai_midnight, sizeof shanghai_midnight - 1);
        }
        break;
    default:
        return false;
    }
    *out = (struct bytes){room, size};
    return size > 0;
}

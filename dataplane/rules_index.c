#include <stdlib.h>

#include "dataplane/rules_internal.h"

#define CLASS_ABSENT 0
#define CLASS_OTHER_TEXT 1
#define SLOT_FREE 0
/* Above this many a binary search is quicker than counting. */
#define BREAKS_COUNTED 8

static uint64_t load8(const uint8_t *at)
{
    uint64_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

/* All bytes count, since texts of one list often begin and end alike. */
static uint32_t text_hash(struct bytes text)
{
    uint64_t mixed = text.length, last = 0;
    if (text.length >= 8) {
        for (size_t at = 0; at + 8 < text.length; at += 8)
            mixed = (mixed ^ load8(text.data + at)) * UINT64_C(0x9e3779b97f4a7c15);
        last = load8(text.data + text.length - 8);
    } else {
        for (size_t i = 0; i < text.length; i++)
            last = last << 8 | text.data[i];
    }
    mixed = (mixed ^ mixed >> 29 ^ last) * UINT64_C(0xc2b2ae3d27d4eb4f);
    return (uint32_t)((mixed ^ mixed >> 32) * UINT64_C(0x9e3779b97f4a7c15) >> 32);
}

bool text_table_make(struct text_table *table, uint32_t count_max)
{
    uint32_t size = 4;
    while (size < count_max * 2)
        size *= 2;
    *table = (struct text_table){.slot_mask = size - 1};
    table->texts = calloc(count_max + 1, sizeof *table->texts);
    table->slots = calloc(size, sizeof *table->slots);
    return table->texts && table->slots;
}

void text_table_free(struct text_table *table)
{
    free(table->texts);
    free(table->slots);
}

static uint32_t find_slot(const struct text_table *table, struct bytes text)
{
    uint32_t slot = text_hash(text) & table->slot_mask;
    while (table->slots[slot] != SLOT_FREE && !bytes_equal(table->texts[table->slots[slot] - 1], text))
        slot = (slot + 1) & table->slot_mask;
    return slot;
}

uint32_t text_table_add(struct text_table *table, struct bytes text)
{
    uint32_t slot = find_slot(table, text);
    if (table->slots[slot] == SLOT_FREE) {
        table->texts[table->count++] = text;
        table->slots[slot] = table->count;
    }
    return table->slots[slot];
}

uint32_t text_table_find(const struct text_table *table, struct bytes text)
{
    return table->slots[find_slot(table, text)];
}

/* The order of a fact's values as one number; texts have none. */
static inline int64_t scalar(const struct rule_column *column, const union fact_value *value)
{
    if (column->kind == COLUMN_INT)
        return value->integer;
    if (column->kind == COLUMN_TEXTS)
        return value->text.length > 0 && value->text.data[0] != 0x80;
    return value->number < INT64_MAX ? (int64_t)value->number : INT64_MAX;
}

static uint32_t breaks_not_above(const struct rule_column *column, int64_t number)
{
    uint32_t low = 0, high = column->break_count;
    if (high <= BREAKS_COUNTED) {
        for (uint32_t i = 0; i < high; i++)
            low += column->breaks[i] <= number;
        return low;
    }
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (column->breaks[middle] <= number)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static inline uint32_t column_class(const struct rule_column *column, const struct facts *facts)
{
    const union fact_value *value = &facts->value[column->fact];
    if (!fact_present(facts, column->fact))
        return CLASS_ABSENT;
    if (column->kind == COLUMN_TEXT)
        return CLASS_OTHER_TEXT + text_table_find(&column->texts, value->text);
    return 1 + breaks_not_above(column, scalar(column, value));
}

void rule_index_find(const struct rule_list *list, const struct facts *facts, struct rule_verdicts *out)
{
    out->errs_count = 0;
    for (uint32_t i = 0; i < list->column_count; i++) {
        const struct rule_column *column = &list->columns[i];
        size_t offset = (size_t)column_class(column, facts) * list->words;
        out->fails[i] = column->fails + offset;
        if (column->errs)
            out->errs[out->errs_count++] = column->errs + offset;
    }
}

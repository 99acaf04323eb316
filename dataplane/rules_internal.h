/* A loaded rule set, shared by rules_load.c, rules_index.c and decide.c. */
#pragma once

#include "dataplane/machine.h"
#include "dataplane/rules.h"
#include "keys/credential.h"

#define RULE_ROOM_MAX 1024     /* values a run may make */
#define RULE_CODE_MEMO_MAX 256 /* of codes shared by rows: computed at most once a request */
#define RULE_ROW_TESTS_MAX 64
#define RULE_INDEX_WORDS_MAX (4u << 20) /* memory of all indexes of a set */
#define RULE_INDEX_WORK_MAX 200000000   /* comparisons it takes to make them */

enum rule_test_kind {
    TEST_TRUTHY = 0, /* the fact is truthy */
    TEST_ANY_OF = 1, /* the fact is the constant, or is one of the constant's items */
    TEST_RANGE = 2,  /* low <= fact + shift <= high; errs where the fact is absent. TIME and DAY: seconds since 1970 */
    TEST_CODE = 3,   /* the code's value is truthy */
};

struct rule_test {
    enum rule_test_kind kind;
    enum fact fact;
    bool negated;
    uint32_t operand; /* constant of ANY_OF, code of CODE */
    int64_t low, high, shift;
};

struct rule_code {
    struct machine_code code;
    bool errs; /* whether there are facts on which it errs */
};

struct rule_row {
    const char *id;
    uint64_t from_s, to_s; /* in force from_s <= now < to_s */
    enum verdict verdict;
    enum reason reason;
    uint32_t obligations;
    uint32_t until; /* code, or RULE_NONE */
    uint32_t first_test, test_count;
    uint32_t steps; /* at most */
};

struct rule_equivalence {
    struct bytes issuer;
    enum equivalence as;
    uint64_t from_s, to_s;
};

/* Texts to numbers, exact. Numbers are 1 … count in the order of adding. */
struct text_table {
    struct bytes *texts;
    uint32_t *slots; /* 0: free */
    uint32_t count;
    uint32_t slot_mask;
};
bool text_table_make(struct text_table *table, uint32_t count_max);
void text_table_free(struct text_table *table);
/* The number, made where it is new; `table` was made for enough. */
uint32_t text_table_add(struct text_table *table, struct bytes text);
/* 0 where it is not there. */
uint32_t text_table_find(const struct text_table *table, struct bytes text);

enum rule_column_kind { COLUMN_TEXT, COLUMN_TEXTS, COLUMN_INT, COLUMN_UINT };

/* One fact's part of an index: the classes of its values, and for each class the rows it rules out. */
struct rule_column {
    enum fact fact;
    enum rule_column_kind kind;
    struct text_table texts; /* class 1 + number; 1 for every other text */
    int64_t *breaks;         /* class 1 + breaks not above the value */
    uint32_t break_count;
    uint32_t class_count; /* class 0: absent */
    uint64_t *fails;      /* [class][word]: rows one of whose tests fails */
    uint64_t *errs;       /* [class][word]: rows one of whose tests errs; NULL where none does */
};

/* What stands before one kind of point: the city's rows, then the venue class's. */
struct rule_list {
    struct bytes venue_class; /* empty: every class without rows of its own */
    uint32_t venue_first, venue_count;
    uint32_t row_count; /* city rows included */
    uint32_t words;
    uint64_t *plain; /* rows whose tests are all in the index */
    struct rule_column *columns;
    uint32_t column_count;
};

struct rule_set {
    uint32_t version;
    uint64_t issued_s, from_s, to_s;
    uint32_t same_point_s;
    struct bytes program; /* own copy; texts point into it */
    struct bytes *home;
    uint32_t home_count;
    struct rule_equivalence *equivalences;
    uint32_t equivalence_count;
    struct value *constants;
    struct value *items; /* of constants that are arrays */
    uint32_t constant_count;
    struct instruction *instructions;
    struct rule_code *codes;
    uint32_t code_count;
    struct rule_test *tests; /* those of a row stand together */
    uint32_t test_count;
    struct rule_row *rows; /* city rows first */
    uint32_t row_count, city_count;
    char *ids;
    struct rule_list *lists; /* the first is that of every class without rows */
    uint32_t list_count;
    struct text_table classes; /* number: index of the list */
};

/* The row of a list by its place in it. */
static inline uint32_t rule_list_row(const struct rule_set *rules, const struct rule_list *list, uint32_t place)
{
    return place < rules->city_count ? place : list->venue_first + place - rules->city_count;
}

/* What may still be spent on the indexes of a set, so that loading is bounded whatever the program holds. */
struct rule_index_budget {
    uint64_t words;
    uint64_t work;
};
/* Makes list->columns and list->plain; false where memory ends. A fact whose column is beyond the budget is not
 * indexed: its tests are made one by one. */
bool rule_index_make(const struct rule_set *rules, struct rule_list *list, struct rule_index_budget *budget);
void rule_index_free(struct rule_list *list);
/* What each column says of the list's rows: `words` words each. */
struct rule_verdicts {
    const uint64_t *fails[FACT_COUNT]; /* list->column_count */
    const uint64_t *errs[FACT_COUNT];
    uint32_t errs_count;
};
void rule_index_find(const struct rule_list *list, const struct facts *facts, struct rule_verdicts *out);

enum test_outcome { TEST_FAILS, TEST_HOLDS, TEST_ERRS };
/* Of every kind but CODE. */
enum test_outcome rule_test_fact(const struct rule_set *rules, const struct rule_test *test, const struct facts *facts);
/* A fact as the machine sees it; TEXTS give null here. */
struct value fact_value_of(const struct facts *facts, enum fact fact);

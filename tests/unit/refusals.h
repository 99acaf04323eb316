/* Tables of JSON documents that a strict reader must refuse: text, the pointer of the first refusal, a part of what it
 * says. An empty pointer and no text mean that the document is good. */
#pragma once

#include "control/json.h"

struct refusal {
    const char *text, *pointer, *says;
};

typedef bool document_reader(const struct json_place *document, struct json_problems *problems);

static inline void assert_refusals(const struct refusal cases[], size_t count, document_reader *read)
{
    for (size_t i = 0; i < count; i++) {
        struct json_problems problems = {0};
        cJSON *tree = json_parse(bytes_of_text(cases[i].text), &problems);
        if (!tree)
            fail_msg("case %zu is no JSON: %s", i, problems.items[0].message);
        struct json_place root = json_root(tree);
        bool ok = read(&root, &problems);
        if (ok != (cases[i].says == NULL))
            fail_msg("case %zu: %s: %s", i, cases[i].text, ok ? "taken" : problems.items[0].message);
        if (!ok) {
            const struct json_problem *first = problems.items;
            while (first->severity == JSON_WARNING)
                first++;
            assert_string_equal(first->pointer, cases[i].pointer);
            if (!strstr(first->message, cases[i].says))
                fail_msg("case %zu says \"%s\"", i, first->message);
        }
        cJSON_Delete(tree);
        json_problems_free(&problems);
    }
}
#define ASSERT_REFUSALS(cases, read) assert_refusals(cases, sizeof(cases) / sizeof((cases)[0]), read)

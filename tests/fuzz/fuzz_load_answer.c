/* Answers of a target that is not trusted: read, judged, never beyond their end. */
#include "tests/load/answer.h"
#include "tests/load/link.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t mac[6] = {2};
    static const struct expectation expected = {.code = 0x45};
    struct answer answer;
    struct link_answer from;
    struct link link;
    char error[100];
    if (answer_read((struct bytes){data, size}, &answer) && answer_read_verdict(&answer))
        answer_check(&answer, &expected);
    if (link_open(&link, mac, 0x0a000001, 5683, 0x0a400000, 1000, error, sizeof error) &&
        link_read(&link, data, size, &from) == LINK_ANSWER && answer_read(from.message, &answer))
        answer_read_verdict(&answer);
    return 0;
}

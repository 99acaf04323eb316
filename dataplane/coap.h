/* CoAP messages (RFC 7252 section 3): a parser that copies nothing, and a small writer. Used by the dataplane on the
 * wire, by oscore.c for inner messages, and by the client library. */
#pragma once

#include "keys/bytes.h"

#define COAP_PORT 5683
#define COAP_TOKEN_MAX 8
#define COAP_OPTIONS_MAX 16

enum coap_type { COAP_CON = 0, COAP_NON = 1, COAP_ACK = 2, COAP_RST = 3 };

#define COAP_CODE(class, detail) ((uint8_t)((class) << 5 | (detail)))
enum coap_code {
    COAP_EMPTY = 0,
    COAP_GET = 1,
    COAP_POST = 2,
    COAP_FETCH = 5,
    COAP_CHANGED = COAP_CODE(2, 4),
    COAP_CONTENT = COAP_CODE(2, 5),
    COAP_BAD_REQUEST = COAP_CODE(4, 0),
    COAP_UNAUTHORIZED = COAP_CODE(4, 1),
    COAP_BAD_OPTION = COAP_CODE(4, 2),
    COAP_NOT_FOUND = COAP_CODE(4, 4),
    COAP_METHOD_NOT_ALLOWED = COAP_CODE(4, 5),
    COAP_NOT_ACCEPTABLE = COAP_CODE(4, 6),
    COAP_TOO_LARGE = COAP_CODE(4, 13),
    COAP_UNSUPPORTED_FORMAT = COAP_CODE(4, 15),
    COAP_TOO_MANY_REQUESTS = COAP_CODE(4, 29),
    COAP_SERVICE_UNAVAILABLE = COAP_CODE(5, 3),
    COAP_PROXYING_NOT_SUPPORTED = COAP_CODE(5, 5),
};

enum coap_option_number {
    COAP_OPTION_URI_HOST = 3,
    COAP_OPTION_URI_PORT = 7,
    COAP_OPTION_OSCORE = 9,
    COAP_OPTION_URI_PATH = 11,
    COAP_OPTION_CONTENT_FORMAT = 12,
    COAP_OPTION_MAX_AGE = 14,
    COAP_OPTION_URI_QUERY = 15,
    COAP_OPTION_ACCEPT = 17,
    COAP_OPTION_BLOCK2 = 23,
    COAP_OPTION_BLOCK1 = 27,
    COAP_OPTION_PROXY_URI = 35,
    COAP_OPTION_PROXY_SCHEME = 39,
    COAP_OPTION_ECHO = 252,
};

#define COAP_FORMAT_LINK 40
#define COAP_FORMAT_CBOR 60

struct coap_option {
    uint16_t number;
    struct bytes value;
};

/* Views into the message. Options stand in the order of the message, which is ascending by number. */
struct coap_message {
    enum coap_type type;
    uint8_t code;
    uint16_t id;
    uint8_t token_length;
    uint8_t option_count;
    const uint8_t *token;
    struct bytes payload;
    struct coap_option options[COAP_OPTIONS_MAX];
};

enum coap_error {
    COAP_OK,
    COAP_ERROR_SHORT,   /* below 4 bytes: type and id are not known */
    COAP_ERROR_VERSION, /* to be ignored silently */
    COAP_ERROR_FORMAT,  /* header fields are valid, the rest is not */
    COAP_ERROR_OPTIONS, /* more than COAP_OPTIONS_MAX; header fields and token are valid */
};

enum coap_error coap_parse(struct bytes in, struct coap_message *out);
/* Options and payload alone, as in an OSCORE plaintext after its code byte. Fills options and payload. */
enum coap_error coap_parse_options(struct bytes in, struct coap_message *out);
/* The first option of that number, or NULL. */
const struct coap_option *coap_find(const struct coap_message *message, uint16_t number);
/* An option's value as an unsigned integer (RFC 7252 section 3.2); false where it is longer than 4 bytes. */
bool coap_option_uint(const struct coap_option *option, uint32_t *out);

/* Writer. Options must be put in ascending order of number. `failed` is sticky. */
struct coap_writer {
    uint8_t *start;
    uint8_t *next;
    uint8_t *end;
    uint16_t last_option;
    bool failed;
};

struct coap_writer coap_write(uint8_t *room, size_t size, enum coap_type type, uint8_t code, uint16_t id,
                              struct bytes token);
/* A writer of options and payload alone. */
struct coap_writer coap_write_options(uint8_t *room, size_t size);
void coap_put_option(struct coap_writer *out, uint16_t number, struct bytes value);
void coap_put_option_uint(struct coap_writer *out, uint16_t number, uint32_t value);
/* Payload marker and payload; nothing where the payload is empty. */
void coap_put_payload(struct coap_writer *out, struct bytes payload);
/* Size written, or 0 where the room ended. */
size_t coap_written(const struct coap_writer *out);

#include "control/scan/address.h"

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ADDRESS_TEXT_MAX 79

static bool digits_only(const char *text)
{
    return *text && text[strspn(text, "0123456789")] == 0;
}

bool address_read(const char *text, unsigned port, struct sockaddr_storage *out, socklen_t *size)
{
    char host[ADDRESS_TEXT_MAX + 1], service[8];
    snprintf(service, sizeof service, "%u", port);
    const char *colon = strrchr(text, ':'), *close = strchr(text, ']');
    bool bracket = text[0] == '[';
    if (bracket && !close)
        return false;
    const char *begin = bracket ? text + 1 : text;
    const char *end = bracket ? close : colon && strchr(text, ':') == colon ? colon : text + strlen(text);
    const char *rest = bracket ? close + 1 : end;
    if ((size_t)(end - begin) > ADDRESS_TEXT_MAX)
        return false;
    if (*rest) {
        if (*rest != ':' || !digits_only(rest + 1) || strlen(rest + 1) > 5)
            return false;
        unsigned long number = strtoul(rest + 1, NULL, 10);
        if (number == 0 || number > 65535)
            return false;
        snprintf(service, sizeof service, "%lu", number);
    }
    memcpy(host, begin, (size_t)(end - begin));
    host[end - begin] = 0;
    struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV, .ai_socktype = SOCK_DGRAM}, *found = NULL;
    if (host[0] == 0 || getaddrinfo(host, service, &hints, &found) != 0)
        return false;
    memset(out, 0, sizeof *out);
    memcpy(out, found->ai_addr, found->ai_addrlen);
    *size = found->ai_addrlen;
    freeaddrinfo(found);
    return true;
}

#include "control/address.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

bool address_from_text(const char *text, uint8_t *family, uint8_t address[16])
{
    memset(address, 0, 16);
    *family = inet_pton(AF_INET, text, address) == 1 ? 4 : inet_pton(AF_INET6, text, address) == 1 ? 6 : 0;
    return *family != 0;
}

void address_to_text(uint8_t family, const uint8_t address[16], char room[ADDRESS_TEXT_SIZE])
{
    if (!inet_ntop(family == 4 ? AF_INET : AF_INET6, address, room, ADDRESS_TEXT_SIZE))
        room[0] = '\0';
}

bool prefix_from_text(const char *text, struct config_prefix *out)
{
    char address[ADDRESS_TEXT_SIZE];
    const char *slash = strchr(text, '/');
    size_t length = slash ? (size_t)(slash - text) : strlen(text);
    if (length >= sizeof address)
        return false;
    memcpy(address, text, length);
    address[length] = '\0';
    if (!address_from_text(address, &out->family, out->address))
        return false;
    long most = out->family == 4 ? 32 : 128, bits = most;
    if (slash) {
        size_t digits = strspn(slash + 1, "0123456789");
        bits = strtol(slash + 1, NULL, 10);
        if (digits == 0 || digits > 3 || slash[1 + digits] || (slash[1] == '0' && digits > 1) || bits > most)
            return false;
    }
    out->length = (uint8_t)bits;
    return true;
}

void prefix_to_text(const struct config_prefix *prefix, char room[ADDRESS_TEXT_SIZE])
{
    address_to_text(prefix->family, prefix->address, room);
    size_t length = strlen(room);
    snprintf(room + length, ADDRESS_TEXT_SIZE - length, "/%u", prefix->length);
}

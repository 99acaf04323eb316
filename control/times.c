#include "control/times.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DAY_S 86400
#define SHANGHAI_OFFSET_S (8 * 3600)
#define TIME_MAX_S (UINT64_C(1) << 36) /* what a credential may carry */

static bool digits_to_number(const char *text, uint64_t *out)
{
    size_t length = strspn(text, "0123456789");
    if (length == 0 || length > 12 || text[length])
        return false;
    *out = strtoull(text, NULL, 10);
    return *out <= TIME_MAX_S;
}

/* `pattern` has a 0 for each digit; other characters stand for themselves. */
static bool shaped(const char *text, const char *pattern)
{
    for (; *pattern; text++, pattern++)
        if (*pattern == '0' ? *text < '0' || *text > '9' : *text != *pattern)
            return false;
    return true;
}

/* The number of `count` digits that are known to be there. */
static int digits(const char *text, unsigned count)
{
    int number = 0;
    for (unsigned i = 0; i < count; i++)
        number = number * 10 + (text[i] - '0');
    return number;
}

/* Seconds since 1970 of a civil date at 00:00 UTC; the date must exist. */
static bool date_to_seconds(const char *text, int64_t *out)
{
    struct tm civil = {
        .tm_year = digits(text, 4) - 1900, .tm_mon = digits(text + 5, 2) - 1, .tm_mday = digits(text + 8, 2)};
    struct tm back = civil;
    time_t seconds = timegm(&back);
    *out = seconds;
    return back.tm_mday == civil.tm_mday && back.tm_mon == civil.tm_mon && back.tm_year == civil.tm_year;
}

static bool date_time_to_seconds(const char *text, int64_t *out)
{
    if (!shaped(text, "0000-00-00") || !date_to_seconds(text, out))
        return false;
    if (!text[10]) {
        *out -= SHANGHAI_OFFSET_S;
        return true;
    }
    if (!shaped(text + 10, "T00:00:00"))
        return false;
    int hour = digits(text + 11, 2), minute = digits(text + 14, 2), second = digits(text + 17, 2);
    if (hour > 23 || minute > 59 || second > 59)
        return false;
    *out += hour * 3600 + minute * 60 + second;
    const char *zone = text + 19;
    if (strcmp(zone, "Z") == 0)
        return true;
    if ((zone[0] != '+' && zone[0] != '-') || !shaped(zone + 1, "00:00") || zone[6])
        return false;
    int zone_hour = digits(zone + 1, 2), zone_minute = digits(zone + 4, 2);
    if (zone_hour > 23 || zone_minute > 59)
        return false;
    int offset_s = zone_hour * 3600 + zone_minute * 60;
    *out += zone[0] == '+' ? -offset_s : offset_s;
    return true;
}

bool time_from_text(const char *text, uint64_t now_s, uint64_t *out)
{
    uint64_t number;
    if (digits_to_number(text, out))
        return true;
    if (text[0] == '+' && digits_to_number(text + 1, &number)) {
        *out = now_s + number;
        return true;
    }
    if (text[0] == '-' && digits_to_number(text + 1, &number)) {
        *out = now_s - number;
        return number <= now_s;
    }
    int64_t seconds;
    if (!date_time_to_seconds(text, &seconds) || seconds < 0)
        return false;
    *out = (uint64_t)seconds;
    return true;
}

bool day_from_text(const char *text, uint32_t *out)
{
    uint64_t number;
    int64_t seconds;
    if (digits_to_number(text, &number)) {
        *out = (uint32_t)number;
        return number <= UINT32_MAX;
    }
    if (!shaped(text, "0000-00-00") || text[10] || !date_to_seconds(text, &seconds) || seconds < 0)
        return false;
    *out = (uint32_t)(seconds / DAY_S);
    return true;
}

void time_to_text(uint64_t time_s, char room[TIME_TEXT_SIZE])
{
    time_t shanghai = (time_t)time_s + SHANGHAI_OFFSET_S;
    struct tm civil;
    if (!gmtime_r(&shanghai, &civil) || strftime(room, TIME_TEXT_SIZE, "%Y-%m-%dT%H:%M:%S+08:00", &civil) == 0)
        snprintf(room, TIME_TEXT_SIZE, "%llu", (unsigned long long)time_s);
}

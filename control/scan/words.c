#include "control/scan/chengmen_scan.h"

#include "dataplane/reasons.h"

static const char unknown[] = "UNKNOWN";

const char *chengmen_scan_result_text(enum chengmen_scan_result result)
{
    switch (result) {
    case CHENGMEN_SCAN_VERDICT:
        return "verdict received";
    case CHENGMEN_SCAN_REFUSED:
        return "request refused";
    case CHENGMEN_SCAN_RESET:
        return "message rejected: no appliance at that address";
    case CHENGMEN_SCAN_TIMEOUT:
        return "no answer";
    case CHENGMEN_SCAN_INVALID:
        return "answer not in the agreed form";
    case CHENGMEN_SCAN_NETWORK:
        return "network error";
    case CHENGMEN_SCAN_REQUEST:
        return "request out of bounds";
    case CHENGMEN_SCAN_SEQUENCE:
        return "no sequence number left or none could be stored";
    }
    return unknown;
}

const char *chengmen_scan_verdict_name(enum chengmen_scan_verdict verdict)
{
    return verdict_name((enum verdict)verdict);
}

const char *chengmen_scan_colour_name(enum chengmen_scan_colour colour)
{
    static const char *const names[] = {"green", "yellow", "red", "unknown"};
    return (unsigned)colour <= CHENGMEN_SCAN_UNKNOWN ? names[colour] : unknown;
}

const char *chengmen_scan_reason_name(uint32_t reason)
{
    return reason_name((enum reason)reason);
}

const char *chengmen_scan_reason_text(uint32_t reason, bool chinese)
{
    return reason_text((enum reason)reason, chinese ? LANGUAGE_CHINESE : LANGUAGE_ENGLISH);
}

const char *chengmen_scan_obligation_name(unsigned number)
{
    return obligation_name((enum obligation)number);
}

const char *chengmen_scan_obligation_text(unsigned number, bool chinese)
{
    return obligation_text((enum obligation)number, chinese ? LANGUAGE_CHINESE : LANGUAGE_ENGLISH);
}

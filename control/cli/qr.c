#include "control/cli/qr.h"

#include <errno.h>
#include <png.h>
#include <qrencode.h>
#include <stdlib.h>

#include "control/cli/cli.h"

#define QUIET_MODULES 4
#define PIXELS_PER_MODULE 8

/* Base45 and its prefix lie in QR's alphanumeric set, which the library finds out and gives 11 bits for two characters;
 * another text (a point's context) goes as bytes. */
static QRcode *encode(const char *text)
{
    QRcode *code = QRcode_encodeString(text, 0, QR_ECLEVEL_M, QR_MODE_8, 1);
    if (!code)
        cli_refuse("QR code: %s", strerror(errno));
    return code;
}

static bool dark(const QRcode *code, int x, int y)
{
    bool inside = x >= 0 && y >= 0 && x < code->width && y < code->width;
    return inside && (code->data[y * code->width + x] & 1);
}

bool qr_print(const char *text)
{
    QRcode *code = encode(text);
    if (!code)
        return false;
    for (int y = -QUIET_MODULES; y < code->width + QUIET_MODULES; y += 2) {
        fputs("\033[30;107m", stdout);
        for (int x = -QUIET_MODULES; x < code->width + QUIET_MODULES; x++) {
            bool upper = dark(code, x, y), lower = dark(code, x, y + 1);
            fputs(upper ? (lower ? "█" : "▀") : (lower ? "▄" : " "), stdout);
        }
        puts("\033[0m");
    }
    QRcode_free(code);
    return true;
}

bool qr_write_png(const char *text, const char *path)
{
    QRcode *code = encode(text);
    if (!code)
        return false;
    int side = (code->width + 2 * QUIET_MODULES) * PIXELS_PER_MODULE;
    uint8_t *pixels = malloc((size_t)side * (size_t)side);
    png_image image = {.version = PNG_IMAGE_VERSION,
                       .width = (png_uint_32)side,
                       .height = (png_uint_32)side,
                       .format = PNG_FORMAT_GRAY};
    bool ok = pixels;
    for (int y = 0; ok && y < side; y++)
        for (int x = 0; x < side; x++)
            pixels[y * side + x] =
                dark(code, x / PIXELS_PER_MODULE - QUIET_MODULES, y / PIXELS_PER_MODULE - QUIET_MODULES) ? 0 : 255;
    if (ok && !png_image_write_to_file(&image, path, 0, pixels, 0, NULL)) {
        cli_refuse("%s: %s", path, image.message);
        ok = false;
    }
    free(pixels);
    QRcode_free(code);
    return ok;
}

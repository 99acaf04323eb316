#!/usr/bin/env python3
"""Writes a file as a C array: embed.py NAME INPUT OUTPUT."""
import sys

name, source, target = sys.argv[1:]
with open(source, "rb") as file:
    content = file.read()
with open(target, "w") as file:
    file.write('#include "control/page.h"\n\nconst unsigned char %s[] = {\n' % name)
    for at in range(0, len(content), 20):
        file.write("    " + " ".join("%d," % byte for byte in content[at:at + 20]) + "\n")
    file.write("};\nconst size_t %s_size = sizeof %s;\n" % (name, name))

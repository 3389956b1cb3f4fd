/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a file is, by its first bytes, in the words of file(1): rules ask for parts of them (filemagic, file.magic).
 *
 * One table, first row that fits; file(1) tells many formats' versions and details, which rules do not ask for as a rule,
 * so the words here end where the details begin, but for programs, where the machine and the kind matter. Text is told
 * from data as file(1) does, by bytes that no text has.
 *
 * Called with a file's start as it grows: a row that could still fit makes the answer wait, up to MAGIC_BYTES.
 *
 * Worker thread; owns nothing.
 */
#include "ips/app/file.h"

struct magic {
    uint16_t at;
    uint8_t len;
    const char *bytes;
    const char *what;
};

static const struct magic table[] = {
    {0, 5, "%PDF-", "PDF document"},
    {0, 4, "PK\3\4", "Zip archive data"},
    {0, 4, "PK\5\6", "Zip archive data (empty)"},
    {0, 6, "Rar!\x1a\7", "RAR archive data"},
    {0, 6, "7z\xbc\xaf\x27\x1c", "7-zip archive data"},
    {0, 3, "\x1f\x8b\x08", "gzip compressed data"},
    {0, 2, "\x1f\x9d", "compress'd data 16 bits"},
    {0, 3, "BZh", "bzip2 compressed data"},
    {0, 6,
     "\xfd"
     "7zXZ\0",
     "XZ compressed data"},
    {0, 4, "\x28\xb5\x2f\xfd", "Zstandard compressed data (v0.8+)"},
    {0, 4, "\x04\x22\x4d\x18", "LZ4 compressed data (v1.4+)"},
    {0, 5, "]\0\0\x80\0", "LZMA compressed data"},
    {0, 4, "MSCF", "Microsoft Cabinet archive data"},
    {0, 4, "ISc(", "InstallShield CAB"},
    {257, 5, "ustar", "POSIX tar archive"},
    {0, 7, "!<arch>", "current ar archive"},
    {0, 6, "070701", "ASCII cpio archive (SVR4 with no CRC)"},
    {2, 5, "-lh5-", "LHa (2.x) archive data [lh5]"},
    {7, 7, "**ACE**", "ACE archive data"},
    {0, 2, "\x60\xea", "ARJ archive data"},
    {0, 8, "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "Composite Document File V2 Document"},
    {0, 5, "{\\rtf", "Rich Text Format data"},
    {0, 4, "ITSF", "MS Windows HtmlHelp Data"},
    {0, 4, "L\0\0\0", "MS Windows shortcut"},
    {0, 4,
     "\x7f"
     "ELF",
     "ELF"},
    {0, 4, "\xca\xfe\xba\xbe", "compiled Java class data"},
    {0, 4, "\xfe\xed\xfa\xce", "Mach-O executable"},
    {0, 4, "\xfe\xed\xfa\xcf", "Mach-O 64-bit executable"},
    {0, 4, "\xce\xfa\xed\xfe", "Mach-O i386 executable"},
    {0, 4, "\xcf\xfa\xed\xfe", "Mach-O 64-bit x86_64 executable"},
    {0, 4, "dex\n", "Dalvik dex file"},
    {0, 4, "\0asm", "WebAssembly (wasm) binary module"},
    {0, 3, "FWS", "Macromedia Flash data"},
    {0, 3, "CWS", "Macromedia Flash data (compressed)"},
    {0, 3, "ZWS", "Macromedia Flash data (lzma compressed)"},
    {0, 4, "FLV\1", "Macromedia Flash Video"},
    {0, 8, "\x89PNG\r\n\x1a\n", "PNG image data"},
    {0, 6, "GIF87a", "GIF image data, version 87a"},
    {0, 6, "GIF89a", "GIF image data, version 89a"},
    {0, 3, "\xff\xd8\xff", "JPEG image data"},
    {0, 4, "II*\0", "TIFF image data, little-endian"},
    {0, 4, "MM\0*", "TIFF image data, big-endian"},
    {0, 4, "\0\0\1\0", "MS Windows icon resource"},
    {0, 4, "\0\0\2\0", "MS Windows cursor resource"},
    {0, 4, "8BPS", "Adobe Photoshop Image"},
    {0, 4, "\xd7\xcd\xc6\x9a", "Windows metafile"},
    {40, 4, " EMF", "Windows Enhanced Metafile (EMF) image data"},
    {0, 4, "AT&T", "DjVu document"},
    {8, 4, "WEBP", "RIFF (little-endian) data, Web/P image"},
    {8, 4, "WAVE", "RIFF (little-endian) data, WAVE audio"},
    {8, 4, "AVI ", "RIFF (little-endian) data, AVI"},
    {8, 4, "ACON", "RIFF (little-endian) data, animated cursor"},
    {0, 4, "OggS", "Ogg data"},
    {0, 4, "fLaC", "FLAC audio bitstream data"},
    {0, 3, "ID3", "Audio file with ID3"},
    {0, 2, "\xff\xfb", "MPEG ADTS, layer III, v1"},
    {0, 4, "MThd", "Standard MIDI data"},
    {4, 6, "ftypqt", "ISO Media, Apple QuickTime movie"},
    {4, 4, "ftyp", "ISO Media"},
    {4, 4, "moov", "Apple QuickTime movie"},
    {0, 4, "\x1a\x45\xdf\xa3", "Matroska data"},
    {0, 4, "\0\0\1\xba", "MPEG sequence, v2, program multiplex"},
    {0, 4, "\x30\x26\xb2\x75", "Microsoft ASF"},
    {0, 4, ".RMF", "RealMedia file"},
    {0, 4, "wOFF", "Web Open Font Format"},
    {0, 4, "wOF2", "Web Open Font Format (Version 2)"},
    {0, 4, "OTTO", "OpenType font data"},
    {0, 5, "\0\1\0\0\0", "TrueType Font data"},
    {0, 15, "SQLite format 3", "SQLite 3.x database"},
    {4, 15, "Standard Jet DB", "Microsoft Access Database"},
    {4, 15, "Standard ACE DB", "Microsoft Access Database"},
    {0, 4, "!BDN", "Microsoft Outlook email folder"},
    {0, 4, "\xd4\xc3\xb2\xa1", "pcap capture file, microsecond ts (little-endian)"},
    {0, 4, "\x0a\x0d\x0d\x0a", "pcapng capture file"},
    {0, 4, "\xed\xab\xee\xdb", "RPM v3.0 bin"},
    {0, 6, "#!/bin", "script text executable"},
    {0, 6, "#!/usr", "script text executable"},
    {0, 27, "-----BEGIN CERTIFICATE-----", "PEM certificate"},
    {0, 10, "-----BEGIN", "PEM data"},
    {0, 5, "%!PS-", "PostScript document text"},
    {0, 5, "<?php", "PHP script, ASCII text"},
    {0, 5, "<?xml", "XML 1.0 document text"},
    {0, 14, "<!DOCTYPE html", "HTML document, ASCII text"},
    {0, 14, "<!doctype html", "HTML document, ASCII text"},
    {0, 5, "<html", "HTML document, ASCII text"},
    {0, 5, "<HTML", "HTML document, ASCII text"},
    {0, 4, "X5O!", "EICAR virus test files"},
};

static bool is_text_byte(uint8_t c)
{
    return c >= 0x20 ? c != 0x7f : (c >= '\a' && c <= '\r') || c == 0x1b;
}

static const char *text_or_data(struct span s)
{
    bool ascii = true;

    for (uint32_t i = 0; i < s.len; i++) {
        if (!is_text_byte(s.p[i]))
            return "data";
        ascii &= s.p[i] < 0x80;
    }
    return s.len == 0 ? "empty" : ascii ? "ASCII text" : "Non-ISO extended-ASCII text";
}

static uint16_t load_le16(const uint8_t *p)
{
    return (uint16_t)(p[1] << 8 | p[0]);
}

/* MZ: what is behind the header that its bytes 60 to 63 point to, when it is within reach. */
static const char *windows_program(struct span s, bool last)
{
    static const struct {
        uint16_t machine;
        const char *gui, *console, *dll;
    } machines[] = {
        {0x014c, "PE32 executable (GUI) Intel 80386, for MS Windows",
         "PE32 executable (console) Intel 80386, for MS Windows",
         "PE32 executable (DLL) (GUI) Intel 80386, for MS Windows"},
        {0x8664, "PE32+ executable (GUI) x86-64, for MS Windows",
         "PE32+ executable (console) x86-64, for MS Windows",
         "PE32+ executable (DLL) (GUI) x86-64, for MS Windows"},
        {0xaa64, "PE32+ executable (GUI) Aarch64, for MS Windows",
         "PE32+ executable (console) Aarch64, for MS Windows",
         "PE32+ executable (DLL) (GUI) Aarch64, for MS Windows"},
    };
    uint32_t at = s.len >= 64 ? (uint32_t)load_le16(s.p + 62) << 16 | load_le16(s.p + 60) : 0;

    if (!last && (s.len < 64 || (uint64_t)at + 96 > s.len))
        return NULL;
    if (at == 0 || at >= s.len || s.len - at < 96)
        return s.len >= 64 && at >= s.len ? "PE32 executable for MS Windows" : "MS-DOS executable";
    if (memcmp(s.p + at, "PE\0\0", 4) != 0)
        return "MS-DOS executable";
    for (size_t i = 0; i < sizeof(machines) / sizeof(machines[0]); i++) {
        if (load_le16(s.p + at + 4) != machines[i].machine)
            continue;
        if (load_le16(s.p + at + 22) & 0x2000)
            return machines[i].dll;
        return load_le16(s.p + at + 92) == 3 ? machines[i].console : machines[i].gui;
    }
    return "PE32 executable for MS Windows";
}

const char *magic_of(struct span start, bool last)
{
    bool wait = false;

    if (start.len >= 2 && start.p[0] == 'M' && start.p[1] == 'Z')
        return windows_program(start, last);
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        const struct magic *m = &table[i];
        struct span there = span_sub(start, m->at, m->len);

        if (there.len > 0 && memcmp(there.p, m->bytes, there.len) != 0)
            continue;
        if (there.len == m->len)
            return wait && !last ? NULL : m->what;
        wait |= m->at < 64; /* a tar's place comes late: what fits a row at the start does not wait for it */
    }
    if (!last)
        return NULL;
    return text_or_data(start);
}

// SPDX-License-Identifier: GPL-2.0-or-later
#include "harness/unwind_elf.h"

#include <elf.h>
#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <string_view>
#include <tuple>
#include <utility>

#include "core/guest.h"
#include "core/unwind/eh_frame.h"

namespace plumb::harness {
namespace {

static_assert(std::endian::native == std::endian::little);

struct Section {
  std::string name;
  Elf64_Shdr header{};
  std::string bytes;
};

template <typename T>
void append(std::string& out, const T& value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

// A string table; returns where the name stands in it.
std::uint32_t add_name(std::string& table, std::string_view name) {
  if (table.empty()) table.push_back('\0');
  const auto at = static_cast<std::uint32_t>(table.size());
  table.append(name);
  table.push_back('\0');
  return at;
}

std::uint16_t elf_machine(Arch arch) {
  switch (arch) {
    case Arch::kX86_64:
      break;
    case Arch::kArm64:
      return EM_AARCH64;
    case Arch::kRiscv64:
      return EM_RISCV;
  }
  return EM_X86_64;
}

Section loaded(std::string name, std::uint64_t flags, std::uint64_t address, std::string bytes) {
  Section section{.name = std::move(name), .bytes = std::move(bytes)};
  section.header.sh_type = SHT_PROGBITS;
  section.header.sh_flags = SHF_ALLOC | flags;
  section.header.sh_addr = address;
  section.header.sh_addralign = 1;
  section.header.sh_size = section.bytes.size();
  return section;
}

// The return address that the kernel's call leaves, and the call before it.
Range kernel_code(const Image& image) { return {.address = image.placement.exit - 1, .size = 2}; }

struct NamedRange {
  std::string name;
  Range range;
};
// What the machine has there is its own affair.
std::vector<NamedRange> code_around(const Image& image) {
  return {{.name = "helpers", .range = image.placement.stubs},
          {.name = "kernel", .range = kernel_code(image)}};
}

// What the image calls code, by address, each byte once. It may name more ranges than a file has
// numbers for: then the last one
// is all that is left.
std::vector<Range> text_ranges(const Image& image) {
  constexpr std::size_t kMost = 1000;
  std::vector<Range> code = image.code;
  std::ranges::sort(code, {}, &Range::address);
  std::vector<Range> ranges;
  for (const Range& range : code) {
    const bool is_apart = ranges.empty() || !ranges.back().contains(range.address, 0);
    if (is_apart && ranges.size() < kMost) {
      ranges.push_back(range);
      continue;
    }
    Range& last = ranges.back();
    last.size = std::max(last.address + last.size, range.address + range.size) - last.address;
  }
  return ranges;
}

// Without contents where there are none to be had.
Section code_section(std::string name, const Range& range, std::span<const std::uint8_t> bytes) {
  Section section = loaded(std::move(name), SHF_EXECINSTR, range.address,
                           std::string(bytes.begin(), bytes.end()));
  if (bytes.size() != range.size) section.header.sh_type = SHT_NOBITS;
  section.header.sh_size = range.size;
  return section;
}

std::vector<Section> code_sections(const Image& image) {
  std::vector<Section> sections;
  for (const Range& range : text_ranges(image)) {
    const std::size_t n = sections.size();
    sections.push_back(code_section(n == 0 ? ".text" : fmt::format(".text.{}", n), range,
                                    image.placement.bytes(range.address, range.size)));
  }
  for (const NamedRange& around : code_around(image)) {
    sections.push_back(code_section("." + around.name, around.range, {}));
  }
  return sections;
}

std::string as_text(std::span<const std::uint8_t> bytes) {
  return std::string(bytes.begin(), bytes.end());
}

// What ends one list gives way to what begins there in the other.
std::vector<unwind::Row> all_rows(const machine::UnwindKnowledge& known) {
  const auto c_rows = known.c_rows.all();
  const auto jit_rows = known.jit_rows.all();
  std::vector<unwind::Row> rows(c_rows.begin(), c_rows.end());
  rows.insert(rows.end(), jit_rows.begin(), jit_rows.end());
  std::ranges::sort(rows, {}, [](const unwind::Row& row) {
    return std::tuple(row.begin, row.kind != unwind::Row::Kind::kUnknown);
  });
  return rows;
}

// Nothing of the image lies there.
std::uint64_t page_behind(const Image& image) {
  std::uint64_t end = image.arena.address + image.arena.size;
  for (const Range& range : image.code) end = std::max(end, range.address + range.size);
  return (end + guest::kPage - 1) / guest::kPage * guest::kPage;
}

// Which of the first sections of the file holds an address of code, by its number there.
std::uint16_t section_of(std::span<const Section> code, std::uint64_t address) {
  const auto it = std::ranges::find_if(code, [address](const Section& section) {
    return address - section.header.sh_addr < section.header.sh_size;
  });
  return it == code.end() ? std::uint16_t{SHN_ABS}
                          : static_cast<std::uint16_t>(it - code.begin() + 1);
}

// The table of symbols and that of their names, which follows it in the file.
std::pair<Section, Section> symbol_sections(std::span<const Section> code,
                                            std::span<const Symbol> symbols) {
  Section table{.name = ".symtab", .bytes = {}};
  Section names{.name = ".strtab", .bytes = {}};
  append(table.bytes, Elf64_Sym{});
  for (const Symbol& symbol : symbols) {
    Elf64_Sym entry{};
    entry.st_name = add_name(names.bytes, symbol.name);
    entry.st_info = ELF64_ST_INFO(STB_GLOBAL, symbol.size != 0 ? STT_FUNC : STT_NOTYPE);
    entry.st_shndx = section_of(code, symbol.address);
    entry.st_value = symbol.address;
    entry.st_size = symbol.size;
    append(table.bytes, entry);
  }
  if (names.bytes.empty()) names.bytes.push_back('\0');
  table.header.sh_type = SHT_SYMTAB;
  table.header.sh_entsize = sizeof(Elf64_Sym);
  table.header.sh_addralign = alignof(Elf64_Sym);
  table.header.sh_info = 1;  // the first one that is not local
  names.header.sh_type = SHT_STRTAB;
  return {std::move(table), std::move(names)};
}

Elf64_Ehdr file_header(const Image& image) {
  Elf64_Ehdr header{};
  std::copy_n(ELFMAG, SELFMAG, header.e_ident);
  header.e_ident[EI_CLASS] = ELFCLASS64;
  header.e_ident[EI_DATA] = ELFDATA2LSB;
  header.e_ident[EI_VERSION] = EV_CURRENT;
  header.e_type = ET_EXEC;
  header.e_machine = elf_machine(image.arch);
  header.e_version = EV_CURRENT;
  header.e_entry = kernel_code(image).address;
  header.e_flags = image.arch == Arch::kRiscv64 ? EF_RISCV_RVC : 0;
  header.e_ehsize = sizeof(Elf64_Ehdr);
  header.e_phentsize = sizeof(Elf64_Phdr);
  header.e_shentsize = sizeof(Elf64_Shdr);
  return header;
}

bool is_loaded(const Section& section) { return (section.header.sh_flags & SHF_ALLOC) != 0; }

Elf64_Phdr segment_of(const Elf64_Shdr& section) {
  Elf64_Phdr segment{};
  segment.p_type = PT_LOAD;
  segment.p_flags = (section.sh_flags & SHF_EXECINSTR) != 0 ? PF_R | PF_X : PF_R;
  segment.p_offset = section.sh_offset;
  segment.p_vaddr = section.sh_addr;
  segment.p_paddr = section.sh_addr;
  segment.p_filesz = section.sh_type == SHT_NOBITS ? 0 : section.sh_size;
  segment.p_memsz = section.sh_size;
  segment.p_align = 1;
  return segment;
}

// Ascending, as the gABI wants them.
std::vector<Elf64_Phdr> segments_of(std::span<const Section> sections) {
  std::vector<Elf64_Phdr> segments;
  for (const Section& section : sections) {
    if (is_loaded(section)) segments.push_back(segment_of(section.header));
  }
  std::ranges::sort(segments, {}, &Elf64_Phdr::p_vaddr);
  return segments;
}

// File header, program headers, what the sections hold, section headers. The last of the sections
// gets their names.
std::string file_of(Elf64_Ehdr header, std::vector<Section> sections) {
  for (Section& section : sections) {
    section.header.sh_name = add_name(sections.back().bytes, section.name);
  }
  header.e_phnum = static_cast<std::uint16_t>(std::ranges::count_if(sections, is_loaded));
  header.e_phoff = sizeof header;
  header.e_shnum = static_cast<std::uint16_t>(sections.size() + 1);
  header.e_shstrndx = static_cast<std::uint16_t>(sections.size());
  const auto align = [](std::uint64_t offset) { return (offset + 7) / 8 * 8; };
  std::uint64_t end = header.e_phoff + header.e_phnum * sizeof(Elf64_Phdr);
  for (Section& section : sections) {
    section.header.sh_offset = align(end);
    if (section.header.sh_type != SHT_NOBITS) section.header.sh_size = section.bytes.size();
    end = section.header.sh_offset + section.bytes.size();
  }
  header.e_shoff = align(end);
  std::string out;
  append(out, header);
  for (const Elf64_Phdr& segment : segments_of(sections)) append(out, segment);
  for (const Section& section : sections) {
    out.resize(section.header.sh_offset);
    out += section.bytes;
  }
  out.resize(header.e_shoff);
  append(out, Elf64_Shdr{});
  for (const Section& section : sections) append(out, section.header);
  return out;
}

}  // namespace

std::vector<Symbol> named_code(const Case& value, const Image& image) {
  std::vector<Symbol> symbols;
  for (const NativeFunction& native : image.functions) {
    const Program& program = value.programs[static_cast<std::size_t>(native.program)];
    const Function& function = program.functions[static_cast<std::size_t>(native.function)];
    symbols.push_back({.name = program.name + ":" + function.name,
                       .address = native.address,
                       .size = native.size});
  }
  symbols.insert(symbols.end(), image.symbols.begin(), image.symbols.end());
  for (const NamedRange& around : code_around(image)) {
    symbols.push_back(
        {.name = around.name, .address = around.range.address, .size = around.range.size});
  }
  return symbols;
}

std::string unwind_elf(const Image& image, const machine::UnwindKnowledge& known,
                       std::span<const Symbol> symbols) {
  std::vector<Section> sections = code_sections(image);
  auto [table, names] = symbol_sections(sections, symbols);
  sections.push_back(loaded(".eh_frame", 0, page_behind(image),
                            as_text(unwind::eh_frame(image.arch, all_rows(known)))));
  table.header.sh_link = static_cast<std::uint32_t>(sections.size() + 2);
  sections.push_back(std::move(table));
  sections.push_back(std::move(names));
  sections.push_back({.name = ".shstrtab", .bytes = {}});
  sections.back().header.sh_type = SHT_STRTAB;
  return file_of(file_header(image), std::move(sections));
}

}  // namespace plumb::harness

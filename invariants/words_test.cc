// SPDX-License-Identifier: GPL-2.0-or-later
//
// Each word that a JIT need not say: which rows then say nothing, and why. docs/contract.md shows
// the table; PLUMB_BLESS=1 in the environment rewrites it there.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <string>
#include <vector>

#include "invariants/testing_damage.h"
#include "invariants/testing_hardening.h"
#include "invariants/testing_text.h"

namespace plumb::invariants {
namespace {

constexpr const char* kDocument = "docs/contract.md";
constexpr std::string_view kBegin = "<!-- words: begin -->\n\n";
constexpr std::string_view kEnd = "<!-- words: end -->\n";

struct Word {
  const char* name;  // as in core/contract.h and core/image.h
  // Makes it unknown, and the run what the machine then records of it.
  std::function<void(BuiltRun&)> forget;
  bool is_said = false;  // and is not so in the runs here
};

void forget_registers(BuiltRun& built, std::size_t first, std::size_t last) {
  for (std::size_t i = first; i <= last; ++i) built.image.registers.bpf[i] = {};
}

void forget_r10(BuiltRun& built) {
  for (Activation& activation : built.run.activations) activation.r10 = 0;
}

void set_frame_pointer(BuiltRun& built, NativeRegister value) {
  built.image.registers.frame_pointer = value;
  for (MachineEvent& event : built.run.events) event.chain_size = 0;
}

// Refused tail calls are not seen, and events have no slot.
void forget_offsets(BuiltRun& built) {
  for (NativeFunction& function : built.image.functions) function.insn_offsets.clear();
  MachineRun& run = built.run;
  std::vector<std::int32_t> moved;  // by index before: that or the last one before
  std::int32_t kept = -1;
  for (MachineEvent& event : run.events) {
    event.at.slot = -1;
    moved.push_back(event.kind == EventKind::kTailCallRefused ? kept : ++kept);
  }
  const auto move = [&](std::int32_t& event) {
    if (event >= 0 && static_cast<std::size_t>(event) < moved.size()) {
      event = moved[static_cast<std::size_t>(event)];
    }
  };
  std::erase_if(run.events, [](const MachineEvent& event) {
    return event.kind == EventKind::kTailCallRefused;
  });
  for (MachineEvent& event : run.events) move(event.call);
  for (StackAccess& access : run.accesses) move(access.event);
  for (Activation& activation : run.activations) move(activation.entered_by);
  for (ShadowFrame& frame : run.shadow) move(frame.event);
  for (Landing& landing : run.landings) move(landing.event);
  for (ReturnSite& site : run.returns) move(site.event);
}

const std::vector<Word>& words() {
  using B = BuiltRun;
  static const std::vector<Word> table{
      {"RegisterMap::bpf[0]", [](B& b) { forget_registers(b, 0, 0); }},
      {"RegisterMap::bpf[1 ... 5]", [](B& b) { forget_registers(b, 1, 5); }},
      {"RegisterMap::bpf[6 ... 9]", [](B& b) { forget_registers(b, 6, 9); }},
      {"RegisterMap::bpf[10]",
       [](B& b) {
         forget_registers(b, 10, 10);
         forget_r10(b);
       }},
      {"RegisterMap::r10_bias",
       [](B& b) {
         b.image.registers.r10_bias.reset();
         forget_r10(b);
       }},
      {"RegisterMap::frame_pointer", [](B& b) { set_frame_pointer(b, {}); }},
      {"RegisterMap::frame_pointer: none",
       [](B& b) { set_frame_pointer(b, NativeRegister::none()); }},
      {"Contract::r10_moved_by", [](B& b) { b.image.contract.r10_moved_by = Side::kUnknown; }},
      {"Contract::r10_only_where_used",
       [](B& b) { b.image.contract.r10_only_where_used = Tristate::kUnknown; }},
      {"Contract::r6_r9_saved_by", [](B& b) { b.image.contract.r6_r9_saved_by = Side::kUnknown; }},
      {"Contract::sp_at_calls", [](B& b) { b.image.contract.sp_at_calls = SpAtCalls::kUnknown; }},
      {"Contract::call_alignment", [](B& b) { b.image.contract.call_alignment = 0; }},
      {"Contract::result_bits", [](B& b) { b.image.contract.result_bits = 0; }},
      {"Contract::bpf_stack", [](B& b) { b.image.contract.bpf_stack = BpfStack::kUnknown; }},
      {"Contract::bpf_stack: elsewhere",
       [](B& b) { b.image.contract.bpf_stack = BpfStack::kElsewhere; }, true},
      {"Contract::empty_slot_consumes_count",
       [](B& b) { b.image.contract.empty_slot_consumes_count = Tristate::kUnknown; }},
      {"Contract::count_in_frames",
       [](B& b) { b.image.contract.count_in_frames = Tristate::kUnknown; }},
      {"LandingRule::pad", [](B& b) { b.image.landing.pad = LandingPad::kUnknown; }},
      {"CodeRule::constants_blinded",
       [](B& b) { b.image.code_rule.constants_blinded = Tristate::kUnknown; }},
      {"CodeRule::return_addresses_signed",
       [](B& b) { b.image.code_rule.return_addresses_signed = Tristate::kUnknown; }},
      {"CfiRule::hashes", [](B& b) { b.image.code_rule.cfi.hashes = Tristate::kUnknown; }},
      {"NativeFunction::insn_offsets", forget_offsets},
      {"NativeFunction::tail_call_entry",
       [](B& b) {
         for (NativeFunction& function : b.image.functions) {
           function.tail_call_entry.reset();
           function.tail_call_entry_unknown = true;
         }
       }},
      {"NativeFunction::stack_size",
       [](B& b) {
         for (NativeFunction& function : b.image.functions) function.stack_size.reset();
       }},
      {"MachineRun::tail_calls_seen", [](B& b) { b.run.tail_calls_seen = false; }},
  };
  return table;
}

// Leaves R10 alone in one function, which is where r10_only_where_used matters.
void name_r10_nowhere(BuiltRun& built) {
  built.value.programs[1].functions[0].insns[0] = built.value.programs[1].functions[0].insns[2];
  built.value.programs[1].functions[0].stack_depth = 0;
  built.run.accesses.erase(built.run.accesses.begin() +
                           (&built.store(2) - built.run.accesses.data()));
  std::erase_if(built.execution.stack_stores,
                [](const StackStore& store) { return store.at.program == 1; });
  for (NativeFunction& function : built.image.functions) {
    if (function.program == 1) function.r10_register = 12;
  }
}

// Runs in which all is right, at full depth: between them, every row looks at something.
std::vector<BuiltRun> good_runs(Arch arch) {
  std::vector<BuiltRun> runs{good_run(arch), tail_call_chain(3, arch), good_run(arch),
                             good_run(arch)};
  name_r10_nowhere(runs[2]);
  if (arch != Arch::kRiscv64) {
    const bool is_x86 = arch == Arch::kX86_64;
    runs[3].image.landing.pad = is_x86 ? LandingPad::kEndbr64 : LandingPad::kBti;
    runs[3].run.landings = {{.pc = runs[3].image.entry,
                             .word = is_x86 ? 0xfa1e0ff3 : 0xd503245f,
                             .event = -1,
                             .is_call = true}};
  }
  if (arch == Arch::kX86_64) count_at_empty_slot(runs.emplace_back(good_run(arch)));
  if (arch == Arch::kRiscv64) keep_count_in_frames(runs.emplace_back(good_run(arch)));
  harden(runs.emplace_back(good_run(arch)));
  for (BuiltRun& run : runs) run.depth = Depth::kFull;
  return runs;
}

// Empty: on all.
std::string archs_text(const std::vector<Arch>& archs) {
  if (archs.size() == std::size(kBuiltArchs)) return {};
  std::string text;
  for (const Arch arch : archs)
    text += fmt::format("{}{}", text.empty() ? "" : ", ", arch_name(arch));
  return fmt::format(" ({})", text);
}

// What each word costs, by row and reason, with the architectures where it does.
std::string words_markdown() {
  std::string text = "| not said | rows that say nothing then, and why |\n|---|---|\n";
  for (const Word& word : words()) {
    std::map<std::string_view, std::map<std::string_view, std::vector<Arch>>> lost;
    for (const Arch arch : kBuiltArchs) {
      for (const BuiltRun& good : good_runs(arch)) {
        BuiltRun forgetful = good;
        word.forget(forgetful);
        const Checked before = check(good.subject());
        const Checked after = check(forgetful.subject());
        for (std::size_t row = 0; row < invariant_table().size(); ++row) {
          if (before.answers[row].kind != RowAnswer::Kind::kHeld) continue;
          if (after.answers[row].kind != RowAnswer::Kind::kNotApplicable) continue;
          auto& archs = lost[reason_phrase(after.answers[row].reason)][invariant_table()[row].name];
          if (std::ranges::find(archs, arch) == archs.end()) archs.push_back(arch);
        }
      }
    }
    std::string cell;
    for (const auto& [reason, rows] : lost) {
      if (!cell.empty()) cell += "; ";
      cell += fmt::format("*{}*: ", reason);
      bool is_first = true;
      for (const auto& [row, archs] : rows) {
        cell += fmt::format("{}{}{}", is_first ? "" : ", ", row, archs_text(archs));
        is_first = false;
      }
    }
    text += fmt::format("| `{}` | {} |\n", word.name, cell.empty() ? "none" : cell);
  }
  return text + "\n";
}

TEST(Words, TheDocumentShowsWhatEachOneCosts) {
  std::ifstream file(kDocument);
  ASSERT_TRUE(file.is_open()) << kDocument;
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const std::size_t begin = text.find(kBegin);
  const std::size_t end = text.find(kEnd);
  ASSERT_NE(begin, std::string::npos);
  ASSERT_NE(end, std::string::npos);
  const std::size_t first = begin + kBegin.size();
  if (std::getenv("PLUMB_BLESS") != nullptr) {
    const std::string table = words_markdown();
    std::ofstream(kDocument) << text.substr(0, first) << table << text.substr(end);
    GTEST_SKIP() << "blessed";
  }
  EXPECT_EQ(text.substr(first, end - first), words_markdown())
      << "PLUMB_BLESS=1 rewrites " << kDocument;
}

TEST(Words, ARunThatIsRightBreaksNothingWhateverIsNotSaid) {
  for (const Arch arch : kBuiltArchs) {
    for (const BuiltRun& good : good_runs(arch)) {
      BuiltRun nothing = good;
      for (const Word& word : words()) {
        if (word.is_said) continue;
        SCOPED_TRACE(fmt::format("{}: {}", arch_name(arch), word.name));
        BuiltRun forgetful = good;
        word.forget(forgetful);
        EXPECT_EQ(listing(check(forgetful.subject()).violations), "");
        word.forget(nothing);
        EXPECT_EQ(listing(check(nothing.subject()).violations), "") << "and all before it";
      }
    }
  }
}

// The same wrong thing in the words of another row, where the first one cannot look.
bool tells_it_too(std::string_view broken, std::string_view row) {
  return (broken == "r6-r9-survive-calls" && row == "callee-saved-preserved") ||
         (broken == "refused-tail-call-falls-through" && row == "tail-call-count-matches-oracle");
}

// A word that is not said can hide what is wrong. It can bring nothing new up, and make nothing
// held that is broken.
TEST(Words, ARunThatIsDamagedBreaksNoOtherRowsAndIsNotSaidToHold) {
  for (const Arch arch : kBuiltArchs) {
    for (const Damage& damage : damages()) {
      if (std::ranges::find(damage.not_on, arch) != damage.not_on.end()) continue;
      BuiltRun damaged = good_run(arch);
      damage.apply(damaged);
      const Checked before = check(damaged.subject());
      for (const Word& word : words()) {
        SCOPED_TRACE(
            fmt::format("{}: {} without {}", arch_name(arch), damage.invariant, word.name));
        BuiltRun forgetful = damaged;
        word.forget(forgetful);
        const Checked after = check(forgetful.subject());
        for (std::size_t row = 0; row < invariant_table().size(); ++row) {
          const bool was_broken = before.answers[row].kind == RowAnswer::Kind::kViolated;
          const RowAnswer::Kind now = after.answers[row].kind;
          EXPECT_TRUE(was_broken || now != RowAnswer::Kind::kViolated ||
                      tells_it_too(damage.invariant, invariant_table()[row].name))
              << invariant_table()[row].name << "\n"
              << listing(after.violations);
          EXPECT_FALSE(was_broken && now == RowAnswer::Kind::kHeld) << invariant_table()[row].name;
        }
      }
    }
  }
}

}  // namespace
}  // namespace plumb::invariants

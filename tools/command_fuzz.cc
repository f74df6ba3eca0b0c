// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <memory>
#include <system_error>
#include <utility>

#include "core/printable.h"
#include "harness/corpus.h"
#include "harness/fuzz_driver.h"
#include "reports/explain.h"
#include "tools/fuzz_with_libfuzzer.h"
#include "tools/open_jits.h"
#include "tools/print_report.h"
#include "tools/second_opinions.h"
#include "tools/session.h"
#include "tools/shape_option.h"
#include "tools/stop_signal.h"

namespace plumb::tools {
namespace {

struct FuzzArguments {
  std::string jits;
  std::uint64_t runs = 0;
  double seconds = 0;
  std::uint64_t seed = 1;
  unsigned jobs = 1;
  std::string shape;
  std::string depth = "mixed";
  std::string out = "findings";
  bool second_opinion = false;
  std::string engine = "builtin";
  std::string corpus;
  std::string targets;
  double grace = 300;
  bool verbose = false;
};

// Nothing: most of the cases fast, some in full.
std::optional<Depth> depth_named(std::string_view name) {
  if (name == "fast") return Depth::kFast;
  if (name == "full") return Depth::kFull;
  if (name == "interrupts") return Depth::kInterrupts;
  return std::nullopt;
}

// One line that is written over on a terminal, else one line every ten seconds.
class ProgressLine {
 public:
  void show(const harness::FuzzProgress& progress) {
    if (!terminal_ && progress.seconds < next_) return;
    next_ = progress.seconds + 10;
    const double rate =
        progress.seconds > 0 ? static_cast<double>(progress.compared) / progress.seconds : 0;
    fmt::print(stderr, "{}{:.0f} s: {} cases, {} compared, {:.0f}/s, {} findings, {} known{}",
               terminal_ ? "\r\033[K" : "", progress.seconds, progress.generated, progress.compared,
               rate, progress.findings, progress.known, terminal_ ? "" : "\n");
    std::fflush(stderr);
    shown_ = true;
  }
  void finish() const {
    if (terminal_ && shown_) fmt::print(stderr, "\r\033[K");
  }

 private:
  bool terminal_ = isatty(STDERR_FILENO) == 1;
  bool shown_ = false;
  double next_ = 10;
};

std::string describe(const Case& value, const harness::Trial& trial) {
  if (trial.image == nullptr) return printable(trial.judgement.reason) + "\n";
  return reports::explain_text({.value = &value,
                                .image = &trial.image->image(),
                                .execution = &trial.execution,
                                .run = &trial.run,
                                .judgement = &trial.judgement});
}

reports::Report to_report(const harness::FuzzReport& fuzzed, harness::JitList jits) {
  reports::Report report{.command = "fuzz", .seed = fuzzed.seed, .seconds = fuzzed.seconds};
  for (std::size_t i = 0; i < jits.size(); ++i) {
    const harness::JitFuzzReport& jit = fuzzed.jits[i];
    reports::JitReport out = reports::make_report(jits[i]->info());
    out.funnel = jit.funnel;
    out.rate = jit.rate;
    out.findings.assign(jit.findings.begin(), jit.findings.end());
    report.jits.push_back(std::move(out));
  }
  report.harness_failures = fuzzed.harness_failures;
  return report;
}

Result<harness::FuzzOptions> fuzz_options(const FuzzArguments& arguments, const Session& session,
                                          harness::JitList jits) {
  harness::FuzzOptions options;
  options.seed = arguments.seed;
  options.runs = arguments.runs;
  options.seconds = arguments.seconds;
  options.jobs = arguments.jobs;
  options.out_directory = arguments.out;
  options.describe = describe;
  options.depth = depth_named(arguments.depth);
  if (arguments.runs == 0 && arguments.seconds <= 0) return fail("give --seconds or --runs");
  const auto shape = shape_named(arguments.shape);
  if (!shape) return std::unexpected(shape.error());
  options.shape = *shape;
  for (const auto& jit : jits) {
    const auto fits = check_shape(*shape, jit->info().capabilities, jit->info().name);
    if (!fits) return std::unexpected(fits.error());
  }
  auto waivers = harness::read_waivers(session.known_directory);
  if (!waivers) return std::unexpected(waivers.error());
  options.waivers = std::move(*waivers);
  std::error_code error;
  std::filesystem::create_directories(arguments.out, error);
  if (error) return fail(fmt::format("{}: {}", arguments.out, error.message()));
  return options;
}

void tell_not_instrumented(const std::string& path) {
  fmt::print(stderr,
             "plumb: {} is not instrumented: the coverage of its code does not guide the search, "
             "and no sanitizer watches it\n",
             path);
}

int fuzz(const FuzzArguments& arguments, const Session& session) {
  const auto opened = open_named_jits(session, arguments.jits);
  if (!opened) return unusable(opened.error().str());
  const auto& jits = opened->jits;
  auto options = fuzz_options(arguments, session, jits);
  if (!options) return unusable(options.error().str());
  const auto interpreters = open_second_opinions(session, jits, arguments.second_opinion, false);
  if (!interpreters) return unusable(interpreters.error().str());
  options->interpreters = *interpreters;
  ProgressLine line;
  options->on_progress = [&line](const harness::FuzzProgress& progress) { line.show(progress); };
  if (arguments.engine == "libfuzzer" && arguments.depth != "mixed") {
    return unusable("--depth is for --engine builtin");
  }
  if (arguments.engine == "libfuzzer") {
    if (arguments.second_opinion) return unusable("--second-opinion is for the built-in engine");
    if (!arguments.shape.empty()) return unusable("--shape is for the built-in engine");
    const LibfuzzerOptions engine{
        .targets = arguments.targets.empty() ? session.target_directory : arguments.targets,
        .plugins = session.plugin_directory,
        .known = session.known_directory,
        .corpus = arguments.corpus,
        .out = arguments.out,
        .runs = arguments.runs,
        .seconds = arguments.seconds,
        .grace = arguments.grace,
        .seed = arguments.seed,
        .jobs = arguments.jobs,
        .on_progress = options->on_progress,
        .on_not_instrumented = tell_not_instrumented};
    const int status = fuzz_with_libfuzzer(
        engine, session, jits, options->waivers,
        {.on_fuzzed = [&line] { line.finish(); }, .verbose = arguments.verbose});
    return status_of(status, *opened);
  }
  if (!arguments.corpus.empty()) return unusable("--corpus is for --engine libfuzzer");
  catch_stop_signals();
  options->should_stop = stop_was_asked_for;
  const harness::FuzzReport fuzzed = harness::fuzz(jits, *options);
  line.finish();
  reports::Report report = to_report(fuzzed, jits);
  report.not_available = missing_from(*opened);
  print_report(session, report, arguments.verbose);
  for (const harness::JitFuzzReport& jit : fuzzed.jits) {
    complain_about_zero_stages(jit.name, jit.zero_stages);
  }
  return status_of(fuzzed.status(), *opened);
}

}  // namespace

void add_fuzz_command(CLI::App& app, Session& session) {
  auto arguments = std::make_shared<FuzzArguments>();
  CLI::App* command = app.add_subcommand("fuzz", "Generate cases and judge them");
  command->add_option("--jit", arguments->jits, "JIT names or globs, comma-separated, or all")
      ->required();
  command->add_option("--seconds", arguments->seconds, "how long")->check(CLI::NonNegativeNumber);
  command->add_option("--runs", arguments->runs, "how many cases");
  command->add_option("--seed", arguments->seed, "same seed, same cases");
  command
      ->add_option("--depth", arguments->depth,
                   "mixed: fast, and one in 64 in full; fast, full, interrupts: all so")
      ->check(CLI::IsMember({"mixed", "fast", "full", "interrupts"}));
  command->add_option("-j,--jobs", arguments->jobs, "processes at a time")
      ->check(CLI::Range(1, 64));
  command->add_option("--engine", arguments->engine, "builtin or libfuzzer")
      ->check(CLI::IsMember({"builtin", "libfuzzer"}));
  command->add_option("--corpus", arguments->corpus, "libfuzzer: inputs, read and added to")
      ->type_name("DIR");
  command->add_option("--targets", arguments->targets, "libfuzzer: where the targets lie")
      ->type_name("DIR");
  command
      ->add_option("--grace", arguments->grace,
                   "libfuzzer: seconds beyond --seconds until a target that goes on is stopped")
      ->check(CLI::NonNegativeNumber);
  command->add_option("--shape", arguments->shape, "only this shape (plumb gen --list)");
  command->add_flag("--second-opinion", arguments->second_opinion,
                    "ask the interpreter of the JIT's kernel tree too");
  command->add_flag("-v,--verbose", arguments->verbose,
                    "everything about each JIT: funnel, invariants");
  command->add_option("--out", arguments->out, "directory for findings")->type_name("DIR");
  command->callback([arguments, &session] {
    session.action = [arguments, &session] { return fuzz(*arguments, session); };
  });
}

}  // namespace plumb::tools

# SPDX-License-Identifier: GPL-2.0-or-later
# What the builds of one kernel JIT cover together: a line that any of them runs counts as reached.
#   awk -v jit=linux-6.12-x86_64 -v accepted=FILE -v used=FILE -f coverage_summary.awk BUILD.lcov...
# Prints the share of each file, the frame functions with what is left, all else that is left. Status
# 1 when a frame function has a line that nothing reached and that `accepted` (coverage_accepted.txt)
# does not name. Numbers of the entries that were needed are appended to `used`.

BEGIN {
  # The functions that make and leave frames, call, and tail-call.
  frame = "prologue|epilogue|tail_call|push_|pop_|callee_reg|bpf_tail|^emit_(call|rsb_call|return|" \
          "jump|patch|indirect_jump|cfi|kcfi|fineibt|bti|branch|jump_and_link|zextw)$|_poke_desc_|" \
          "__bpf_arch_text_poke|detect_reg_usage|^(mark|seen)_|^bpf_to_rv_reg|build_plt"
  while ((getline text < accepted) > 0) {
    number++
    if (text ~ /^#/ || text ~ /^ *$/) continue
    if (split(text, field, / *\| */) != 4) {
      printf "%s:%d: not JITS | FUNCTION | LINE | REASON\n", accepted, number
      exit status = 2
    }
    gsub(/\./, "\\.", field[1])
    gsub(/\*/, ".*", field[1])
    if (jit !~ "^(" field[1] ")$") continue
    entries++
    entry_function[entries] = "^(" field[2] ")$"
    entry_line[entries] = field[3]
    entry_reason[entries] = field[4]
    entry_number[entries] = number
  }
}

# ---- Reading: the union over all builds ----
/^SF:/ {
  file = substr($0, 4)
  keep = file ~ /\/arch\/[a-z0-9]+\/net\/bpf_jit[a-z0-9_]*\.[ch]$/
  if (keep && !(file in last_line)) { files[++file_count] = file; last_line[file] = 0 }
}
keep && /^FN:/ {
  text = substr($0, 4)
  comma = index(text, ",")
  name = substr(text, comma + 1)
  sub(/^.*:/, "", name)
  function_at[file, substr(text, 1, comma - 1)] = name
}
keep && /^DA:/ {
  split(substr($0, 4), part, ",")
  runs[file, part[1]] += part[2] > 0
  if (part[1] + 0 > last_line[file]) last_line[file] = part[1] + 0
}
keep && /^BRDA:/ {
  split(substr($0, 6), part, ",")
  key = file SUBSEP part[1] SUBSEP part[2] SUBSEP part[3]
  line = file SUBSEP part[1]
  if (!(key in taken)) { branches[file]++; line_branches[line]++ }
  if (part[4] > 0 && !taken[key]) { reached_branches[file]++; line_reached_branches[line]++ }
  taken[key] += part[4] > 0
}

# ---- Reporting ----
function percent(part, whole) { return whole ? 100 * part / whole : 100 }

# The entry that names the line, or 0.
function find_entry(name, text,   e) {
  for (e = 1; e <= entries; e++)
    if (name ~ entry_function[e] && (entry_line[e] == "*" || text ~ entry_line[e])) return e
  return 0
}

# A run of lines that nothing reached, of a frame function: is its first line accepted?
function judge_run(name, line, text,   e) {
  e = find_entry(name, text)
  if (e) {
    print entry_number[e] >> used
    if (index(reasons[name], entry_reason[e]) == 0)
      reasons[name] = reasons[name] (reasons[name] ? "; " : "") entry_reason[e]
    return
  }
  sub(/^[ \t]+/, "", text)
  refusals[++refused] = sprintf("%s:%d: %s", name, line, text)
  status = 1
}

function end_function(name) {
  if (name == "" || !all) return
  if (name ~ frame) {
    frames++
    full += missed == 0
    frame_rows = frame_rows sprintf("    %-28s %3d of %3d, %3d of %3d  %s%s\n", name, all - missed, \
                                    all, ways_reached, ways, missed ? reasons[name] : "", \
                                    one_way ? " (one way only:" one_way ")" : "")
  } else if (missed == all) {
    never = never sprintf(" %s(%d)", name, all)
  } else if (missed) {
    other_rows = other_rows sprintf("    %-32s %4d of %4d  lines%s\n", name, all - missed, all, left)
  }
}

function report(file,   i, name, text, in_run, outside, short, lines, reached) {
  frame_rows = other_rows = never = name = left = ""
  all = missed = 0
  for (i = 1; (getline text < file) > 0; i++) {
    if ((file, i) in function_at) {
      end_function(name)
      name = function_at[file, i]
      outside = 0
      all = missed = in_run = ways = ways_reached = 0
      left = one_way = ""
    }
    # Behind the end of a function: macros.
    if (outside && name != "") { end_function(name); name = "" }
    outside = text ~ /^}/
    if (!((file, i) in runs)) continue
    all++
    lines++
    ways += line_branches[file, i]
    ways_reached += line_reached_branches[file, i]
    if (runs[file, i]) {
      if (line_reached_branches[file, i] < line_branches[file, i]) one_way = one_way " " i
      reached++
      in_run = 0
      continue
    }
    if (name == "") continue
    missed++
    left = left " " i
    if (!in_run && name ~ frame) judge_run(name, i, text)
    in_run = 1
  }
  end_function(name)
  close(file)
  short = file
  sub(/^.*\/arch\//, "arch/", short)
  printf "  %s: lines %.1f %% (%d of %d), branches %.1f %% (%d of %d)\n", short, percent(reached, lines),
         reached, lines, percent(reached_branches[file], branches[file]), reached_branches[file],
         branches[file]
  if (frame_rows) printf "  frame functions: lines and branches reached, and why the other lines are not\n%s", frame_rows
  if (other_rows) printf "  other functions that are entered\n%s", other_rows
  if (never) printf "  never entered (lines):%s\n", never
}

END {
  if (status == 2) exit 2
  printf "== %s, %d builds\n", jit, ARGC - 1
  if (!file_count) { print "  no coverage of its JIT files"; exit 2 }
  for (f = 1; f <= file_count; f++) report(files[f])
  printf "  %d of %d frame functions have all lines\n", full, frames
  for (f = 1; f <= refused; f++) printf "  NOT ACCEPTED %s\n", refusals[f]
  exit status
}

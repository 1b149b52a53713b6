// SPDX-License-Identifier: Apache-2.0
// What a scaling law is fitted to: the end of a run (or a moment of it) as numbers, whatever table or study they are
// of.
#pragma once

#include <cstddef>
#include <limits>
#include <span>
#include <string>
#include <vector>

namespace trireme {

inline constexpr double kNotGiven = std::numeric_limits<double>::quiet_NaN();

/// One row. A value that a table does not have is kNotGiven.
struct ScalingPoint {
  double parameters = kNotGiven;     // N, by the convention that the points' owner names
  double tokens = kNotGiven;         // D, tokens trained on, repetitions counted
  double flops = kNotGiven;          // C, of the whole training, by the count that the points' owner names
  double loss = kNotGiven;           // nats a token
  double unique_tokens = kNotGiven;  // tokens of the corpus; fewer than `tokens` when they were repeated
  double task_loss = kNotGiven;      // what accuracy follows from: bits per byte of right answers, or any loss
  double accuracy = kNotGiven;       // 0 to 1
  std::string run;                   // rows of one run are not independent: the bootstrap draws runs; empty: its own
  std::string curve = {};            // which of its run's training curves the row is of, where it has several
  std::size_t line = 0;              // in the file, for messages; 0: not from a file
};

/// How a point is called in messages: "line 7" or "point 3".
std::string name_of(const ScalingPoint& point, std::size_t index);

/// The values of `points` that differ from one another by more than `tolerance` of the larger, in ascending order.
std::vector<double> distinct(std::vector<double> values, double tolerance = 1e-3);

/// Throws Error(usage) naming the row where N, D, C or the loss is not a positive finite number, and for rows that are
/// the same run twice (equal N, D and loss), for they would count as two witnesses.
void check_points(std::span<const ScalingPoint> points);

/// For each point the number of its run, from 0 in order of appearance.
std::vector<std::size_t> run_numbers(std::span<const ScalingPoint> points);

}  // namespace trireme

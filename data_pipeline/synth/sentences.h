// SPDX-License-Identifier: Apache-2.0
// How the world speaks: facts in varied sentences, questions, small talk, and the tongue of its songs.
#pragma once

#include <string>

#include "data_pipeline/synth/draws.h"
#include "data_pipeline/synth/world.h"

namespace trireme::synth {

/// One of the sentences that state the fact, chosen by `draws`; starts with a capital, ends with a full stop.
std::string statement(const World& world, FactId fact, Draws& draws);

/// One of the questions that ask for the fact. Statements never hold a question's words in its order.
std::string question(const World& world, FactId fact, Draws& draws);

/// A sentence that states nothing of the exam.
std::string small_talk(Draws& draws);

/// A sentence on a person of the long tail, common ones more often.
std::string minor_statement(const World& world, const World::Minor& minor, Draws& draws);

/// A line in the tongue: each word mostly follows from the one before it.
std::string verse(const World& world, Draws& draws);

}  // namespace trireme::synth

#pragma once

#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "base/event_loop.h"
#include "vector/engine.h"

namespace margay::vector {

// Runs `question` on every worker, in its thread between two rounds, then `done` on the loop with
// all answers, in the workers' order. Workers that have stopped never answer.
template <typename Answer>
void ask_workers(base::EventLoop& loop, Engine& engine, std::function<Answer(Worker&)> question,
                 std::function<void(std::vector<Answer>)> done) {
  struct Gathered {
    std::vector<Answer> answers;
    size_t missing;
    std::function<void(std::vector<Answer>)> done;
  };
  const auto gathered = std::make_shared<Gathered>(
      Gathered{std::vector<Answer>(engine.workers()), engine.workers(), std::move(done)});
  for (unsigned index = 0; index < engine.workers(); ++index)
    engine.worker(index).jobs.post([&loop, question, gathered](Worker& worker) {
      loop.post([gathered, answer = question(worker), at = worker.index] {
        gathered->answers[at] = answer;
        if (--gathered->missing == 0) gathered->done(std::move(gathered->answers));
      });
    });
}

}  // namespace margay::vector

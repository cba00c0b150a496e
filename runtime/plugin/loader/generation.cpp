#include <fmt/format.h>

#include <utility>

#include "base/text.hpp"
#include "config/trigger.hpp"
#include "plugin/host/completions.hpp"
#include "plugin/host/guarded_call.hpp"
#include "plugin/host/host_table.hpp"
#include "plugin/instance/brief_services.hpp"
#include "plugin/instance/content_stage.hpp"
#include "plugin/instance/leak.hpp"
#include "plugin/instance/life_call.hpp"
#include "plugin/instance/local_instance.hpp"
#include "plugin/isolation/isolation.hpp"
#include "plugin/loader/abi_check.hpp"
#include "plugin/loader/create_call.hpp"
#include "plugin/loader/library.hpp"
#include "plugin/loader/service_trials.hpp"
#include "plugin/plugin.hpp"
#include "plugin/process/thread.hpp"

namespace triggerd::plugin {
namespace {

std::string_view name_of(const trigger_service& service) {
  return {service.name.ptr, service.name.len};
}

Result<PluginTable> call_entry(const Library& library, const trigger_host* host) {
  const UnblockedSignals unblocked;
  const trigger_plugin* plugin = nullptr;
  if (const auto thrown = guarded([&] { plugin = library.entry()(host); })) {
    return fail("threw an exception from " TRIGGER_ENTRY_NAME ": {}", *thrown);
  }
  return read_plugin_table(plugin);
}

}  // namespace

Result<std::shared_ptr<Generation>> Generation::load(const Source& source, Log& log) {
  const auto refuse = [&source](const Error& error) {
    return tl::make_unexpected(
        Error{fmt::format("plugin \"{}\": {} {}", source.name, source.file.string(), error.message),
              error.code});
  };
  auto copy = source.is_private
                  ? StagedCopy::keep(source.file)
                  : StagedCopy::make(source.file, source.stage_dir, source.name, source.number);
  if (!copy) return refuse(copy.error());
  if (auto checked = check_library(*copy); !checked) return refuse(checked.error());
  if (source.verify) {
    if (auto verified = source.verify(*copy); !verified) return refuse(verified.error());
  }
  std::shared_ptr<Generation> generation(new Generation(source, log, std::move(*copy)));
  auto loaded = source.in_process ? generation->load_here() : generation->load_in_worker();
  if (!loaded) return refuse(loaded.error());
  log.info("plugin.loaded",
           {{"plugin", source.name},
            {"version", generation->description_.version},
            {"generation", std::to_string(source.number)},
            {"sha256", generation->sha256().substr(0, 12)}},
           "{}: services {}", source.file.string(), fmt::join(generation->service_names(), ", "));
  return generation;
}

Result<> Generation::load_here() {
  auto library = Library::load(std::move(*copy_));
  if (!library) return tl::make_unexpected(library.error());
  library_ = std::move(*library);
  auto table = call_entry(*library_, host_->table());
  if (!table) return tl::make_unexpected(table.error());
  table_ = std::make_unique<PluginTable>(std::move(*table));
  description_ = {.version = table_->version, .services = {}};
  for (const trigger_service& service : table_->services) {
    description_.services.push_back(
        {.name = std::string(name_of(service)),
         .flags = service.flags,
         .can_be_probed = service.probe != nullptr,
         .max_batch = static_cast<std::uint32_t>(service.handle_batch == nullptr ? 1 : kMaxBatch)});
  }
  return {};
}

Result<> Generation::load_in_worker() {
  auto described = isolation::describe(*this, log_);
  if (!described) return tl::make_unexpected(described.error());
  description_ = std::move(*described);
  return {};
}

Generation::Generation(Source source, Log& log, StagedCopy copy)
    : source_(std::move(source)),
      log_(log),
      path_(copy.path()),
      sha256_(copy.sha256()),
      copy_(std::make_unique<StagedCopy>(std::move(copy))),
      life_thread_(std::make_unique<LifeThread>(*source_.clock)),
      host_(std::make_unique<HostTable>(source_.name, log)),
      completions_(std::make_shared<Completions>(source_.name, log)),
      trials_(std::make_unique<ServiceTrials>(source_.trials, sha256_)),
      brief_(std::make_unique<BriefServices>()) {}

Generation::~Generation() {
  if (!library_) return;
  const std::string number = std::to_string(source_.number);
  // Every instance has seen its done callbacks return, and its destroy: the threads have nothing
  // left to do.
  const bool completed = completions_->join(source_.clock->now() + source_.done_timeout);
  if (!life_thread_->end() || !completed) {
    log_.error("plugin.abandoned", {{"plugin", source_.name}, {"generation", number}},
               "its {} thread does not end; the library stays loaded until a restart",
               completed ? "control" : "completions");
    leak(std::move(library_));
    count_leak();
    return;
  }
  if (!library_->unload()) {
    count_leak();
    log_.warn("plugin.still_loaded", {{"plugin", source_.name}, {"generation", number}},
              "the library was closed and stays in memory until a restart: it has a thread_local "
              "with a destructor on a running thread, a symbol of type GNU_UNIQUE (build it with "
              "-fno-gnu-unique), or something else holds it");
  }
}

std::vector<std::string> Generation::service_names() const {
  std::vector<std::string> names;
  for (const Description::Service& service : description_.services) names.push_back(service.name);
  return names;
}

std::vector<std::filesystem::path> Generation::search_folders() const {
  return library_ ? library_->search_folders() : std::vector<std::filesystem::path>();
}

Result<const trigger_service*> Generation::find_service(std::string_view service) const {
  std::vector<std::string_view> names;
  for (const trigger_service& candidate : table_->services) {
    if (name_of(candidate) == service) return &candidate;
    names.push_back(name_of(candidate));
  }
  if (service.empty()) {
    if (names.size() == 1) return &table_->services.front();
    return fail("plugin \"{}\" has several services ({}); say which one: service = \"{}:{}\"",
                name(), fmt::join(names, ", "), name(), names.front());
  }
  const std::string meant = closest(service, names);
  return fail("plugin \"{}\" has no service \"{}\"; {}it has {}", name(), printable(service),
              meant.empty() ? "" : fmt::format("did you mean \"{}\"? ", meant),
              fmt::join(names, ", "));
}

Result<std::unique_ptr<Instance>> Generation::create(const config::Trigger& trigger,
                                                     InstanceHost& host, Log* log,
                                                     const std::string& aside) {
  Log& used = log == nullptr ? log_ : *log;
  if (trigger.isolation == config::Isolation::process) {
    return isolation::create(shared_from_this(), trigger, host, used);
  }
  const auto digest = try_first(trigger, host);
  if (!digest) return tl::make_unexpected(digest.error());
  if (!library_) {
    if (auto loaded = load_here(); !loaded) {
      return fail("plugin \"{}\": {} {}", name(), source_.file.string(), loaded.error().message);
    }
  }
  auto made = create_here(trigger, host, used, aside);
  if (made) trials_->passed(*digest);
  return made;
}

Result<std::string> Generation::try_first(const config::Trigger& trigger, InstanceHost& host) {
  if (source_.worker_program.empty()) return {};
  ServiceTrials::Trial trial = trials_->begin(trigger);
  if (!trial.is_due) return trial.digest;
  log_.debug("plugin.trial", {{"plugin", name()}, {"trigger", trigger.name}},
             "creating the service in a process of its own first");
  if (auto tried = isolation::try_create(*this, trigger, host); !tried) {
    trials_->failed(trigger);
    return tl::make_unexpected(tried.error());
  }
  return trial.digest;
}

Result<std::unique_ptr<Instance>> Generation::create_here(const config::Trigger& trigger,
                                                          InstanceHost& host, Log& log,
                                                          const std::string& aside) {
  const auto found = find_service(trigger.service);
  if (!found) return tl::make_unexpected(found.error());
  const trigger_service& service = **found;
  if (trigger.concurrency > 1 && (service.flags & TRIGGER_SERVICE_CONCURRENT) == 0) {
    return fail("service \"{}\" handles one message at a time; write concurrency = 1",
                name_of(service));
  }
  const auto call = std::make_shared<CreateCall>();
  call->site = {name(), std::string(name_of(service)), trigger.name};
  call->trigger = trigger;
  if (!trigger.content.empty()) {
    call->content =
        std::make_shared<ContentStage>(trigger.name, trigger.content, host, log, *source_.clock);
  }
  InstanceHost& used = call->content ? static_cast<InstanceHost&>(*call->content) : host;
  call->table =
      std::make_unique<HostTable>(name(), trigger.name, log, trigger.log_level, used, completions_);
  const bool returned = life_call(
      thread_name('p', trigger.name), [call, create = service.create] { call->run(create); },
      Millis(0));
  if (!returned) {
    call->table->sever();
    abandon();
    leak(shared_from_this());
    leak(call);
    log.error(
        "plugin.abandoned",
        {{"plugin", name()}, {"generation", std::to_string(number())}, {"trigger", trigger.name}},
        "create of service \"{}:{}\" has not returned; its library stays loaded until a "
        "restart",
        name(), name_of(service));
    return fail("service \"{}:{}\" has not returned from create", name(), name_of(service));
  }
  if (!call->answer) {
    return fail("service \"{}:{}\" cannot be created: {}", name(), name_of(service),
                call->answer.error().message);
  }
  return std::unique_ptr<Instance>(new LocalInstance(
      shared_from_this(), service, trigger.name, aside, trigger.timeout,
      brief_for(trigger, service), std::move(call->content), std::move(call->table), call->handle));
}

// Null: the trigger's service is not called inline.
std::shared_ptr<std::atomic<bool>> Generation::brief_for(const config::Trigger& trigger,
                                                         const trigger_service& service) {
  if (!trigger.content.empty()) return nullptr;  // nothing is evaluated where messages are read
  if (!trigger.brief.value_or((service.flags & TRIGGER_SERVICE_BRIEF) != 0)) return nullptr;
  return brief_->flag_of(std::string(name_of(service)));
}

void Generation::is_in_service() {
  trials_->expect_new_settings();
}

bool Generation::life_call(const std::string& thread, std::function<void()> call,
                           Millis at_least) const {
  return life_thread_->call(thread, std::move(call), source_.patience.get(),
                            std::max(source_.call_timeout, at_least));
}

void Generation::abandon() {
  if (!abandoned_.exchange(true)) count_leak();
  host_->sever();
  completions_->mute();
}

void Generation::count_leak() const {
  if (source_.leaked) ++*source_.leaked;
}

}  // namespace triggerd::plugin

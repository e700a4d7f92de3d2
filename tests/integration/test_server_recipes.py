"""The recipes of doc/recipes.md for the server, each in its own language: what they publish is published after the commit, once, also
where the answer is lost and where the broker is away; and the tokens that they make are good."""

import contextlib
import re
import socket
import threading

import pytest

from stack import SOURCE, run

RECIPES = {name: text for name, text in re.findall(r"^```\w+ recipe (\w+)\n(.*?)^```$", (SOURCE / "doc/recipes.md").read_text(), re.M | re.S)}


class LosesAnswers:
    """Passes connections on to a server; the answer of the first one is lost."""

    def __init__(self, stack):
        self.connections = 0
        self._target = stack.ws_port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()
        stack.closers.append(self._listener.close)

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                self.connections += 1
                threading.Thread(target=self._pass, args=(near, self.connections == 1), daemon=True).start()

    def _pass(self, near, loses):
        with near, socket.create_connection(("127.0.0.1", self._target)) as far, contextlib.suppress(OSError):
            threading.Thread(target=self._copy, args=(near, far), daemon=True).start()
            while (data := far.recv(65536)) and not loses:
                near.sendall(data)
            near.shutdown(socket.SHUT_RDWR)

    @staticmethod
    def _copy(near, far):
        with contextlib.suppress(OSError):
            while data := near.recv(65536):
                far.sendall(data)


@pytest.fixture
def site(stack, key):
    stack.broker()
    stack.ws("--allow-publish", "--tokens=publish", f"--token-keys={key}").wait_log("broker: connected")
    stack.listener = stack.sub("news", "host/disk")
    stack.lossy = LosesAnswers(stack)
    stack.token = run("zmq", "token", "make", "--key", key, "--publish", "*").stdout.strip()
    stack.env = {"ZCAST_URL": stack.lossy.url, "ZCAST_TOKEN": stack.token, "no_proxy": "*", "HOME": str(stack.folder)}
    return stack


def heard(stack, count):
    """The next messages: (event, payload)."""
    made = []
    for _ in range(count):
        _, payload, meta = stack.listener.recv_multipart()
        made.append((re.search(r"^event: (.*)$", meta.decode(), re.M).group(1), payload.decode()))
    assert stack.stats()["published"] == count
    return made


TITLES = [("created", '{"id":1,"title":"Water is back"}'), ("changed", '{"id":1,"title":"Water is back!"}')]


def compact(messages):
    return [(event, payload.replace(": ", ":").replace(", ", ",")) for event, payload in messages]


def test_django(site):
    """Saved, changed, rolled back; while the answer is lost; and what is refused."""
    app = site.folder / "news"
    app.mkdir()
    (app / "__init__.py").write_text("")
    (app / "models.py").write_text(RECIPES["django"])
    program = f"""
import sys
sys.path.insert(0, {str(site.folder)!r})
import django
from django.conf import settings
settings.configure(INSTALLED_APPS=["news"], DATABASES={{"default": {{"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}}}, DEFAULT_AUTO_FIELD="django.db.models.AutoField")
django.setup()
from django.core.management import call_command
from django.db import transaction
call_command("migrate", run_syncdb=True, verbosity=0)
from news.models import Article, Outbox, flush_outbox
try:
    with transaction.atomic():
        Article.objects.create(title="rolled back")
        raise KeyError
except KeyError:
    pass
assert Outbox.objects.count() == 0
with transaction.atomic():
    article = Article.objects.create(title="Water is back")
    assert Outbox.objects.count() == 1
assert Outbox.objects.count() == 1, "its answer was lost"
article.title += "!"
article.save()
assert Outbox.objects.count() == 0
Outbox.objects.create(topic="news", event="zcast.mine", payload="x")
Outbox.objects.create(topic="news", event="created", payload="behind it")
flush_outbox()
(refused,) = Outbox.objects.all()
assert "zcast." in refused.refused, refused.refused
"""
    run("/usr/bin/python3", "-c", program, env=site.env)
    assert compact(heard(site, 3)) == [*TITLES, ("created", "behind it")]
    assert site.lossy.connections >= 5


def test_rails(site):
    program = site.folder / "rails.rb"
    program.write_text(
        """
require 'active_record'
require 'active_job'
require 'logger'
module Rails; def self.logger = @logger ||= Logger.new($stdout, formatter: ->(*, text) { "#{text}\\n" }); end
ActiveJob::Base.logger = Logger.new(nil)
ActiveRecord::Base.establish_connection(adapter: 'sqlite3', database: ':memory:')
ActiveRecord::Base.connection.create_table(:articles) { |table| table.string :title }
class Count
  attr_reader :left, :tries
  def initialize = (@left, @tries, @lock = 0, 0, Mutex.new)
  def enqueue(job) = (@lock.synchronize { @left += 1 }; Thread.new { work(job) })
  def enqueue_at(job, _at) = enqueue(job)
  def work(job) = (@lock.synchronize { @tries += 1 }; ActiveJob::Base.execute(job.serialize); @lock.synchronize { @left -= 1 })
end
ActiveJob::Base.queue_adapter = QUEUE = Count.new
Thread.report_on_exception = true
def settle = (sleep 0.01 until QUEUE.left.zero?)
"""
        + RECIPES["rails"]
        + """
Article.transaction { Article.create!(title: 'rolled back'); raise ActiveRecord::Rollback }
raise 'published before the commit' unless QUEUE.tries.zero?
Article.transaction do
  ARTICLE = Article.create!(id: 1, title: 'Water is back')
  raise 'published before the commit' unless QUEUE.tries.zero?
end
settle
raise "#{QUEUE.tries} tries" unless QUEUE.tries == 2
ARTICLE.update!(title: 'Water is back!')
settle
PublishJob.perform_later('news', 'zcast.mine', 'x', 'k')
settle
"""
    )
    said = run("ruby", program, env=site.env).stdout
    assert compact(heard(site, 2)) == TITLES
    assert re.match(r"not published: 400 .*zcast\.", said) and said.endswith('["news", "zcast.mine", "x", "k"]\n'), said


PHP = """<?php
require '{path}';
function expect(bool $good, string $what): void {{ if (!$good) {{ fwrite(STDERR, "$what\\n"); exit(1); }} }}
function fails(callable $work): string {{ try {{ $work(); }} catch (RuntimeException|Symfony\\Contracts\\HttpClient\\Exception\\ExceptionInterface $error) {{ return $error->getMessage(); }} return ''; }}
"""


def test_symfony(site):
    (site.folder / "publish.php").write_text(RECIPES["symfony"])
    (site.folder / "test.php").write_text(
        PHP.format(path=site.folder / "publish.php")
        + r"""
require 'Symfony/Component/HttpClient/autoload.php';
eval('namespace Symfony\Component\Messenger\Exception; class UnrecoverableMessageHandlingException extends \RuntimeException {}');
use App\Realtime\{Publish, PublishHandler};
$handler = new PublishHandler(Symfony\Component\HttpClient\HttpClient::create(['http_version' => '1.1']), getenv('ZCAST_URL'), getenv('ZCAST_TOKEN'));
$message = unserialize(serialize(new Publish('news', 'created', '{"id":1,"title":"Water is back"}'))); // as in the queue
expect(fails(fn () => $handler($message)) !== '', 'the answer was lost');
$id = $handler($message);
expect(preg_match('/^\d+-\d+$/', $id) === 1 && $handler($message) === $id, $id);
$handler(new Publish('news', 'changed', '{"id":1,"title":"Water is back!"}'));
try { $handler(new Publish('news', 'zcast.mine', 'x')); expect(false, 'not refused'); }
catch (Symfony\Component\Messenger\Exception\UnrecoverableMessageHandlingException $error) { echo $error->getMessage(); }
"""
    )
    said = run("php", site.folder / "test.php", env=site.env).stdout
    assert said.startswith("400 ") and "zcast." in said
    assert heard(site, 2) == TITLES


def test_laravel(site):
    """With the base class that Laravel has; Laravel isn't in Debian 13."""
    (site.folder / "base.php").write_text(
        "<?php namespace Illuminate\\Broadcasting\\Broadcasters; abstract class Broadcaster { abstract function auth($request); "
        "abstract function validAuthenticationResponse($request, $result); abstract function broadcast(array $channels, $event, array $payload = []); }"
    )
    (site.folder / "broadcaster.php").write_text(RECIPES["laravel"].replace("use Illuminate", "require __DIR__ . '/base.php';\nuse Illuminate"))
    (site.folder / "test.php").write_text(
        PHP.format(path=site.folder / "broadcaster.php")
        + r"""
$driver = new App\Broadcasting\ZcastBroadcaster(getenv('ZCAST_URL'), getenv('ZCAST_TOKEN'));
$created = ['key' => 'k1', 'socket' => null, 'id' => 1, 'title' => 'Water is back'];
expect(fails(fn () => $driver->broadcast(['news'], 'created', $created)) !== '', 'the answer was lost');
$driver->broadcast(['news'], 'created', $created);
$driver->broadcast(['news'], 'changed', ['key' => 'k2', 'id' => 1, 'title' => 'Water is back!']);
ini_set('error_log', '/dev/stdout');
$driver->broadcast(['news'], 'zcast.mine', ['key' => 'k3']);
"""
    )
    said = run("php", site.folder / "test.php", env=site.env).stdout
    assert "not published on news: 400 " in said and "zcast." in said
    assert heard(site, 2) == TITLES


def test_cron(site):
    """Silent where all is well, and a line where it is refused."""
    script = site.folder / "report-disk"
    script.write_text(RECIPES["cron"])
    header = site.folder / "header"
    header.write_text(f"Authorization: Bearer {site.token}\n")
    quiet = run("sh", script, env={**site.env, "ZCAST_HEADER": str(header), "ZCAST_URL": f"http://127.0.0.1:{site.ws_port}"})
    assert quiet.stdout == quiet.stderr == ""
    ((event, payload),) = heard(site, 1)
    assert event == "disk" and re.fullmatch(r'\{"time":\d+,"host":"[^"]+","percent":\d+\}', payload)
    refused = run("sh", script, env={**site.env, "ZCAST_URL": f"http://127.0.0.1:{site.ws_port}"}, check=False)
    assert refused.returncode == 1 and refused.stdout == "" and "report-disk: " in refused.stderr and "token" in refused.stderr
    run("shellcheck", "--severity=warning", script)


@pytest.mark.parametrize("language, argv", [("python", ["/usr/bin/python3"]), ("php", ["php"]), ("ruby", ["ruby"])])
def test_tokens(tmp_path, key, language, argv):
    path = tmp_path / "token"
    path.write_text(RECIPES[f"token_{language}"])
    token = run(*argv, path, env={"ZCAST_KEY": key.read_text()}).stdout
    said = run("zmq", "token", "check", "--token-keys", key, "--tokens", "all", "-r", "news", "-r", "user/42", input=token).stdout
    assert said.startswith("good, of user-42\n")
    assert run("zmq", "token", "check", "--token-keys", key, "--tokens", "all", "-r", "user/43", input=token, check=False).returncode == 1
    bad = run(*argv, path, env={"ZCAST_KEY": "another key of thirty-two bytes!!"}).stdout
    assert run("zmq", "token", "check", "--token-keys", key, "--tokens", "all", "-r", "news", input=bad, check=False).returncode == 1

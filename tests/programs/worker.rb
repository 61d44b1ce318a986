#!/usr/bin/ruby
# The answers of `testbed` that a Ruby program can give, for tests of our FastCGI client. With USE_PURE_RUBY_FCGI the
# protocol is Ruby's own: it takes the whole request in, then gives the whole answer, and closes whatever it was told.
require 'fcgi'

BLOCK = ('x' * 65_536).b

def json(string)
  escaped = string.b.gsub(/["\\]|[^ -~]/n) do |byte|
    case byte
    when '"' then '\\"'
    when '\\' then '\\' * 4
    else format('\\\\x%02x', byte.ord)
    end
  end
  "\"#{escaped}\""
end

def text(out, status, body)
  out << "Status: #{status} Text\r\nContent-Type: text/plain\r\nContent-Length: #{body.bytesize}\r\n\r\n#{body}"
end

def octets(out, left, chunk, told)
  out << "Content-Type: application/octet-stream\r\n"
  out << "Content-Length: #{left}\r\n" if told
  out << "\r\n"
  while left.positive?
    here = [left, chunk].min
    out << BLOCK.byteslice(0, here)
    left -= here
  end
end

def answer(request, path)
  env = request.env
  out = request.out
  out.binmode
  case path
  when '/', '/hello' then text(out, 200, 'Hello, World!')
  when '/echo'
    type = env['CONTENT_TYPE'].to_s
    body = request.in.read.to_s
    out << "Content-Type: #{type.empty? ? 'application/octet-stream' : type}\r\nContent-Length: #{body.bytesize}\r\n\r\n"
    out << body
  when '/upload' then text(out, 200, request.in.read.to_s.bytesize.to_s)
  when '/download' then octets(out, 1 << 20, 65_536, true)
  when %r{\A/bytes/(\d+)\z} then octets(out, $1.to_i, 65_536, true)
  when %r{\A/stream/(\d+)\z} then octets(out, $1.to_i, (env['QUERY_STRING'].to_s[/chunk=(\d+)/, 1] || 8192).to_i, false)
  when %r{\A/environ}n
    out << "Content-Type: application/json\r\n\r\n"
    out << "{\"variables\":{#{env.map { |name, value| "#{json(name)}:#{json(value)}" }.join(',')}}}"
  when %r{\A/sleep/(\d+)\z}
    sleep($1.to_i / 1000.0)
    text(out, 200, "slept #{$1} ms\n")
  when %r{\A/status/([23]04)\z} then out << "Status: #{$1}\r\n\r\n"
  when %r{\A/status/(\d+)\z} then text(out, $1, "status #{$1}\n")
  when '/cookies'
    out << "Content-Type: text/plain\r\nContent-Length: 12\r\nSet-Cookie: first=1; Path=/\r\n" \
           "Set-Cookie: second=2; Path=/; Expires=Wed, 01 Jan 2098 00:00:00 GMT\r\n\r\ntwo cookies\n"
  when '/stderr'
    request.err << "testbed: a line for the error stream\n"
    text(out, 200, "a line was written to the error stream\n")
  when '/stderr/around'
    request.err << "a line before the head\n"
    text(out, 200, 'the body')
    request.err << "a line behind the body\n"
  when %r{\A/length/(short|long)\z}
    out << "Content-Type: text/plain\r\nContent-Length: #{$1 == 'short' ? 5 : 100}\r\n\r\nHello, World!"
  when '/early' then text(out, 200, 'answered at once')
  when '/process' then text(out, 200, Process.pid.to_s)
  else text(out, 404, "no such path\n")
  end
end

FCGI.each_request do |request|
  path = request.env['PATH_INFO'].to_s.b
  answer(request, path.empty? ? '/' : path)
  request.finish
end

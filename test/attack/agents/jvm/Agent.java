import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** An agent on a JVM: a line with a key in, the code or state of the answer out. */
public class Agent {
  static final String BODY = "{\"payee\":{\"id\":\"florist\",\"origin\":\"https://flowers.example\"},\"amount\":{\"amount\":100,\"currency\":\"CNY\"},\"order\":{\"ref\":\"A\"},\"task_id\":\"birthday\",\"scenario\":\"gift.flowers\"}";

  public static void main(String[] args) throws Exception {
    System.out.println("ready");
    BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
    for (String line = lines.readLine(); line != null; line = lines.readLine()) System.out.println(ask(args[0], line.substring(line.indexOf(' ') + 1)));
  }

  static String ask(String path, String key) throws Exception {
    try (SocketChannel channel = SocketChannel.open(StandardProtocolFamily.UNIX)) {
      channel.connect(UnixDomainSocketAddress.of(path));
      channel.write(ByteBuffer.wrap(("POST /v1/payments HTTP/1.1\r\nhost: ari\r\nconnection: close\r\nidempotency-key: " + key + "\r\ncontent-length: " + BODY.length() + "\r\n\r\n" + BODY).getBytes(StandardCharsets.UTF_8)));
      ByteBuffer buffer = ByteBuffer.allocate(1 << 20);
      while (channel.read(buffer) >= 0) { }
      String answer = new String(buffer.array(), 0, buffer.position(), StandardCharsets.UTF_8);
      Matcher code = Pattern.compile("\"code\":\"([^\"]*)\"").matcher(answer);
      Matcher state = Pattern.compile("\"state\":\"([^\"]*)\"").matcher(answer);
      return code.find() ? code.group(1) : state.find() ? state.group(1) : "unreadable";
    }
  }
}

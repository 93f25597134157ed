package dev.kiln.testing;

import com.sun.jdi.Bootstrap;
import com.sun.jdi.ClassNotLoadedException;
import com.sun.jdi.ClassType;
import com.sun.jdi.IncompatibleThreadStateException;
import com.sun.jdi.InvalidTypeException;
import com.sun.jdi.InvocationException;
import com.sun.jdi.Method;
import com.sun.jdi.ObjectReference;
import com.sun.jdi.ReferenceType;
import com.sun.jdi.ThreadReference;
import com.sun.jdi.VMDisconnectedException;
import com.sun.jdi.VirtualMachine;
import com.sun.jdi.connect.AttachingConnector;
import com.sun.jdi.connect.Connector;
import com.sun.jdi.connect.IllegalConnectorArgumentsException;
import com.sun.jdi.event.BreakpointEvent;
import com.sun.jdi.event.ClassPrepareEvent;
import com.sun.jdi.event.Event;
import com.sun.jdi.event.EventSet;
import com.sun.jdi.request.BreakpointRequest;
import com.sun.jdi.request.ClassPrepareRequest;
import com.sun.jdi.request.EventRequest;
import java.io.IOException;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.IntSupplier;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Ends a server, by {@code kill -9} from outside, when it is about to run a certain method for the nth time; or lets that
 * call fail; or counts the calls.
 */
public final class Breakpoint {
    private static final String AGENT = "-agentlib:jdwp=transport=dt_socket,server=y,suspend=n,address=127.0.0.1:0";

    private static final Pattern LISTENING = Pattern.compile("Listening for transport dt_socket at address: (\\d+)");

    private enum Action {
        KILL,
        FAIL,
        COUNT
    }

    private final KilnProcess server;
    private final VirtualMachine machine;
    private final String method;
    private final int nth;
    private final Action action;
    private final CompletableFuture<Void> reached = new CompletableFuture<>();
    private final AtomicInteger calls = new AtomicInteger();

    private Breakpoint(KilnProcess server, VirtualMachine machine, String method, int nth, Action action) {
        this.server = server;
        this.machine = machine;
        this.method = method;
        this.nth = nth;
        this.action = action;
    }

    /** What the server's JVM has to be started with. */
    public static String[] javaOptions() {
        return QuickStart.options(AGENT).toArray(String[]::new);
    }

    /**
     * Waits in the background for the {@code count}th call from now; kills the server then.
     *
     * @return completes when the call was about to be made, before the server is killed
     */
    public static CompletableFuture<Void> killAt(KilnProcess server, String className, String method, int count) {
        return at(server, className, method, count, Action.KILL).reached;
    }

    /** Waits in the background for the next call, which then throws a {@link RuntimeException}. */
    public static CompletableFuture<Void> failAt(KilnProcess server, String className, String method) {
        return at(server, className, method, 1, Action.FAIL).reached;
    }

    /** How many calls have begun since now; a call is counted before it does anything. */
    public static IntSupplier count(KilnProcess server, String className, String method) {
        return at(server, className, method, 1, Action.COUNT).calls::get;
    }

    private static Breakpoint at(KilnProcess server, String className, String method, int nth, Action action) {
        Matcher port = LISTENING.matcher(server.log());
        if (!port.find()) {
            throw new IllegalStateException("the server was not started with " + AGENT);
        }
        try {
            AttachingConnector connector = Bootstrap.virtualMachineManager().attachingConnectors().stream()
                    .filter(c -> c.transport().name().equals("dt_socket"))
                    .findFirst()
                    .orElseThrow();
            Map<String, Connector.Argument> arguments = connector.defaultArguments();
            arguments.get("hostname").setValue("127.0.0.1");
            arguments.get("port").setValue(port.group(1));
            Breakpoint breakpoint = new Breakpoint(server, connector.attach(arguments), method, nth, action);
            breakpoint.arm(className);
            Thread thread = new Thread(breakpoint::watch, "breakpoint");
            thread.setDaemon(true);
            thread.start();
            return breakpoint;
        } catch (IOException | IllegalConnectorArgumentsException e) {
            throw new IllegalStateException("could not attach to the server", e);
        }
    }

    private void arm(String className) {
        ClassPrepareRequest loaded = machine.eventRequestManager().createClassPrepareRequest();
        loaded.addClassFilter(className);
        loaded.setSuspendPolicy(EventRequest.SUSPEND_ALL);
        loaded.enable();
        machine.classesByName(className).forEach(this::set);
    }

    private void set(ReferenceType type) {
        for (Method each : type.methodsByName(method)) {
            BreakpointRequest request = machine.eventRequestManager().createBreakpointRequest(each.location());
            request.setSuspendPolicy(EventRequest.SUSPEND_ALL);
            if (action != Action.COUNT) {
                request.addCountFilter(nth);
            }
            request.enable();
        }
    }

    private void watch() {
        try {
            while (true) {
                EventSet events = machine.eventQueue().remove();
                for (Event event : events) {
                    if (event instanceof BreakpointEvent hit) {
                        calls.incrementAndGet();
                        reached.complete(null);
                        if (action == Action.FAIL) {
                            fail(hit.thread());
                        } else if (action == Action.KILL) {
                            server.process().destroyForcibly();
                            return;
                        }
                    }
                    if (event instanceof ClassPrepareEvent prepared) {
                        set(prepared.referenceType());
                    }
                }
                events.resume();
            }
        } catch (InterruptedException | VMDisconnectedException e) {
            // The server has ended by itself.
        }
    }

    private void fail(ThreadReference thread) {
        try {
            ClassType type = (ClassType)
                    machine.classesByName(RuntimeException.class.getName()).get(0);
            Method constructor = type.concreteMethodByName("<init>", "()V");
            ObjectReference failure = type.newInstance(thread, constructor, List.of(), 0);
            thread.stop(failure);
        } catch (InvalidTypeException
                | ClassNotLoadedException
                | IncompatibleThreadStateException
                | InvocationException e) {
            throw new IllegalStateException("could not let the call fail", e);
        }
    }
}
